"""Five thousand threading.Threads asleep at once, all counted, all joined."""

import threading
import time

COUNT = 5000
awake, lock, all_there = [0], threading.Lock(), threading.Event()
threading.stack_size(256 * 1024)


def sleeper():
    with lock:
        awake[0] += 1
        if awake[0] == COUNT:
            all_there.set()
    all_there.wait()
    time.sleep(0.3)


threads = [threading.Thread(target=sleeper) for _ in range(COUNT)]
for thread in threads:
    thread.start()
assert all_there.wait(60)
alive = threading.active_count() - 1
for thread in threads:
    thread.join()
print(alive, "threads at once")
