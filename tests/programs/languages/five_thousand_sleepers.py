"""Five thousand threading.Threads alive at once, waiting for a lock, then asleep at once; all counted, all joined."""

import threading
import time

COUNT = 5000
gate = threading.Lock()
threading.stack_size(256 * 1024)


def sleeper():
    with gate:
        pass
    time.sleep(0.5)


threads = [threading.Thread(target=sleeper) for _ in range(COUNT)]
with gate:
    for thread in threads:
        thread.start()
    alive = threading.active_count() - 1
for thread in threads:
    thread.join()
print(alive, "threads at once")
