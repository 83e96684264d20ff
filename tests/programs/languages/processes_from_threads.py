"""subprocess, os.fork, os.posix_spawn and multiprocessing (fork) from threads, each child's status and output right."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings

warnings.simplefilter("ignore", DeprecationWarning)
results, lock = {}, threading.Lock()


def record(name, value):
    with lock:
        results[name] = value


def with_subprocess(n):
    done = subprocess.run(["sh", "-c", f"echo out {n}; exit {n}"], capture_output=True, text=True)
    record(f"subprocess {n}", (done.returncode, done.stdout.strip()))


def with_input(n):
    done = subprocess.run(["tr", "a-z", "A-Z"], input=f"thread {n}", capture_output=True, text=True)
    record(f"input {n}", done.stdout)


def with_fork(n):
    child = os.fork()
    if child == 0:
        total = []
        workers = [threading.Thread(target=lambda: (time.sleep(0.01), total.append(1))) for _ in range(n)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        os._exit(len(total))
    record(f"fork {n}", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def with_spawn(n):
    child = os.posix_spawn("/bin/sh", ["sh", "-c", f"exit {n}"], os.environ)
    record(f"spawn {n}", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def multiply(n):
    return n * 7


def with_multiprocessing(n):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        record(f"multiprocessing {n}", pool.map(multiply, range(n)))


jobs = [(body, n) for body in (with_subprocess, with_input, with_fork, with_spawn) for n in range(1, 5)]
threads = [threading.Thread(target=body, args=(n,)) for body, n in jobs]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if len(sys.argv) > 1 and sys.argv[1] == "pool":
    with_multiprocessing(5)
for name in sorted(results):
    print(name, results[name])
