"""Two tasks of two seconds each (four steps of half a second) in two Python threads.

The counterpart of two_tasks.c: CPython makes its threads with pthread_create, its GIL is a mutex and a condition
variable, and time.sleep ends in clock_nanosleep. Prints each step with the seconds since the start. Knows nothing
of grivet.
"""

import threading
import time

STEPS = 4
STEP_SECONDS = 0.5

start = time.monotonic()


def say(text):
    # One write a line: print() writes text and newline separately, and two threads' halves could mix.
    print(f"[{time.monotonic() - start:4.2f} s] {text}\n", end="", flush=True)


def blocking_task(name):
    say(f"{name} starts")
    for step in range(1, STEPS + 1):
        time.sleep(STEP_SECONDS)
        say(f"{name} step {step} of {STEPS}")
    say(f"{name} finishes")


threads = [threading.Thread(target=blocking_task, args=(name,)) for name in "AB"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

print(f"Total {time.monotonic() - start:.2f} s")
