"""The interpreter's main thread derives a key, which takes a good second in libcrypto, while three others sleep in short spans."""

import hashlib
import threading
import time

over = False


def sleeps():
    while not over:
        time.sleep(0.005)


threads = [threading.Thread(target=sleeps) for _ in range(3)]
for thread in threads:
    thread.start()
end = time.monotonic() + 1
while time.monotonic() < end:
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2_000_000)
over = True
for thread in threads:
    thread.join()
print("derived")
