// Node's http server that hands each request to one of 4 worker threads. Usage: node worker_http.js PORT
const { createServer } = require("node:http");
const { Worker, isMainThread, parentPort } = require("node:worker_threads");

if (isMainThread) {
  const waiting = new Map();
  const workers = Array.from({ length: 4 }, () => new Worker(__filename));
  for (const worker of workers) {
    worker.on("message", ({ id, body }) => {
      waiting.get(id).end(body);
      waiting.delete(id);
    });
  }
  let id = 0;
  const server = createServer((request, response) => {
    waiting.set(++id, response);
    workers[id % workers.length].postMessage({ id, url: request.url, client: request.headers["x-client"] });
  });
  server.listen(Number(process.argv[2]), "127.0.0.1", 1024);
  process.on("SIGTERM", () => process.exit(0));
} else {
  parentPort.on("message", ({ id, url, client }) => {
    const answer = () => parentPort.postMessage({ id, body: `${url} for ${client}\n` });
    url.startsWith("/wait") ? setTimeout(answer, 200) : answer();
  });
}
