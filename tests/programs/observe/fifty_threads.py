# Fifty threads wait for an event until standard input ends.
import sys
import threading
import time

event = threading.Event()
threads = [threading.Thread(target=event.wait) for _ in range(50)]
for thread in threads:
    thread.start()
time.sleep(0.1)
print("ready", flush=True)
sys.stdin.read()
event.set()
for thread in threads:
    thread.join()
print("unharmed")
