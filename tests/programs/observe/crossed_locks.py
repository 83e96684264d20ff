"""Two threads of an interpreter that knows nothing of deadlocks take two of the C library's mutexes crosswise, through
ctypes; a third thread goes on, and ends the process after three seconds."""

import ctypes
import os
import threading
import time

libc = ctypes.CDLL(None)
mutexes = [ctypes.create_string_buffer(64) for _ in range(2)]
for mutex in mutexes:
    libc.pthread_mutex_init(mutex, None)
both_hold_one = threading.Barrier(2)


def crosses(first):
    libc.pthread_mutex_lock(mutexes[first])
    both_hold_one.wait()
    libc.pthread_mutex_lock(mutexes[1 - first])


for first in range(2):
    threading.Thread(target=crosses, args=(first,), daemon=True).start()
time.sleep(3)
print("the rest goes on", flush=True)
os._exit(0)
