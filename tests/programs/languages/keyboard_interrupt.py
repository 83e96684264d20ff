"""SIGINT becomes KeyboardInterrupt in the main thread, whether it sleeps, waits for a lock or joins, while others
sleep on; signal.setitimer's handler runs there too."""

import os
import signal
import threading
import time

lock = threading.Lock()
lock.acquire()
forever = threading.Thread(target=lambda: time.sleep(600), daemon=True)
forever.start()


def interrupt_soon():
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()


for name, wait in (("sleeping", lambda: time.sleep(600)), ("locking", lock.acquire), ("joining", forever.join)):
    interrupt_soon()
    try:
        wait()
        raise SystemExit(f"{name} was not interrupted")
    except KeyboardInterrupt:
        print("interrupted while", name)

ticks = []
signal.signal(signal.SIGALRM, lambda number, frame: ticks.append(threading.current_thread() is threading.main_thread()))
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
while len(ticks) < 5:
    time.sleep(0.1)
signal.setitimer(signal.ITIMER_REAL, 0)
print("ticks in main:", all(ticks))
