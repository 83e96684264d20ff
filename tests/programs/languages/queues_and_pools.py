"""queue.Queue, LifoQueue, PriorityQueue and SimpleQueue between threads; ThreadPoolExecutor and ThreadPool, also
with work that releases the GIL (hashlib, zlib, sqlite3 databases, one each)."""

import concurrent.futures
import hashlib
import multiprocessing.pool
import queue
import sqlite3
import threading
import time
import zlib

for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
    q = kind(maxsize=5)
    taken, lock = [], threading.Lock()

    def consume():
        while (item := q.get(timeout=60)) < 1000:
            with lock:
                taken.append(item)
            q.task_done()

    consumers = [threading.Thread(target=consume) for _ in range(6)]
    for thread in consumers:
        thread.start()
    for item in range(500):
        q.put(item)
        if item % 100 == 0:
            time.sleep(0.001)
    q.join()
    for _ in consumers:
        q.put(1000)
    for thread in consumers:
        thread.join()
    assert sorted(taken) == list(range(500))
    print(kind.__name__, len(taken))

simple = queue.SimpleQueue()
threading.Timer(0.02, simple.put, ("late",)).start()
print(simple.get(timeout=60))
try:
    simple.get(timeout=0.01)
except queue.Empty:
    print("empty")


def work(n):
    data = bytes([n]) * 200_000
    digest = hashlib.sha256(data).hexdigest()
    assert zlib.decompress(zlib.compress(data, 1)) == data
    database = sqlite3.connect(":memory:")
    database.execute("create table t (n integer)")
    database.executemany("insert into t values (?)", ((i,) for i in range(n)))
    total = database.execute("select coalesce(sum(n), 0) from t").fetchone()[0]
    database.close()
    time.sleep(0.001)
    return f"{digest[:8]} {total}"


with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
    results = list(pool.map(work, range(40)))
print(hashlib.sha256("\n".join(results).encode()).hexdigest())

with concurrent.futures.ThreadPoolExecutor(max_workers=20) as pool:
    futures = [pool.submit(time.sleep, 0.01 * (n % 5)) for n in range(60)]
    done, rest = concurrent.futures.wait(futures, timeout=60)
    assert not rest
    failing = pool.submit(int, "no number")
    print(type(failing.exception(timeout=60)).__name__, len(done))

with multiprocessing.pool.ThreadPool(8) as pool:
    print(sum(pool.imap_unordered(lambda n: n * n, range(200))))
