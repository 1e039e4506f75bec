// graphile-worker at its best: a local queue, and jobs completed in groups.
import { Logger, run } from "graphile-worker";
import { sender } from "./sender.mjs";

const connections = 100;
const runner = await run({
	preset: {
		worker: {
			connectionString: process.env.DATABASE_URL,
			concurrentJobs: connections,
			maxPoolSize: 20,
			pollInterval: 2000,
			localQueue: { size: 500 },
			completeJobBatchDelay: 0,
			failJobBatchDelay: 0,
		},
	},
	taskList: { hook: sender(connections) },
	logger: new Logger(() => () => {}),
});
console.log("ready");
await runner.promise;
