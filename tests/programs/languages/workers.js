// Node.js: worker_threads with messages and Atomics.wait on shared memory, timers, and the thread pool behind fs,
// crypto and zlib.
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
const { promisify } = require("util");

if (!isMainThread) {
  const words = new Int32Array(workerData.shared);
  Atomics.wait(words, 0, 0, 60000);
  Atomics.add(words, 1, workerData.number);
  parentPort.postMessage(workerData.number * 2);
} else {
  const main = async () => {
    const shared = new SharedArrayBuffer(8);
    const words = new Int32Array(shared);
    const answers = Promise.all(
      [1, 2, 3, 4].map(
        (number) =>
          new Promise((resolve, reject) => {
            const worker = new Worker(__filename, { workerData: { shared, number } });
            worker.once("message", resolve);
            worker.once("error", reject);
          }),
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    Atomics.store(words, 0, 1);
    Atomics.notify(words, 0);
    console.log("workers", await answers, words[1]);
    const crypto = require("crypto");
    const zlib = require("zlib");
    const keys = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((n) => promisify(crypto.pbkdf2)(`secret ${n}`, "salt", 1000, 16, "sha256")),
    );
    console.log("keys", keys.map((key) => key.toString("hex")).join(" "));
    const packed = await promisify(zlib.gzip)(Buffer.alloc(200000, "grivet"));
    console.log("zlib", (await promisify(zlib.gunzip)(packed)).length);
    const text = await require("fs").promises.readFile(__filename, "utf8");
    console.log("fs", text.split("\n").length);
  };
  main();
}
