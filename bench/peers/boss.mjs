// pg-boss at its best: batches, several workers, and a notification instead of a wait.
import { PgBoss } from "pg-boss";
import { sender } from "./sender.mjs";

const send = sender(100);
const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: 20, useListenNotify: true });
boss.on("error", (error) => console.error(error.message));
await boss.start();
await boss.createQueue("hook", { notify: true });
await boss.updateQueue("hook", { notify: true });
const options = { batchSize: 500, localConcurrency: 4, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 };
await boss.work("hook", options, (jobs) => Promise.all(jobs.map((job) => send(job.data))));
console.log("ready");
