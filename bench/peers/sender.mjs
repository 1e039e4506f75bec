// Posts to the URL that is the program's argument, over connections that are kept alive.
import { Pool } from "undici";

export function sender(connections) {
	const url = new URL(process.argv[2]);
	const pool = new Pool(url.origin, { connections, pipelining: 1 });
	return async (event) => {
		const { statusCode, body } = await pool.request({
			path: url.pathname,
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify(event),
		});
		await body.dump();
		if (statusCode !== 200) throw new Error(`status ${statusCode}`);
	};
}
