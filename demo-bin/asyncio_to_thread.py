"""An asyncio program that awaits CALLS blocking calls at once with asyncio.to_thread, in a pool of as many threads.

Each call is time.sleep(SECONDS), which gives its number back. The last line says how long all of them took.
"""

import asyncio
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# A Python thread that sleeps needs little; the default is 8 MiB of addresses for each.
STACK = 128 * 1024


def legacy(number, seconds):
    time.sleep(seconds)
    return number


async def main(calls, seconds):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(calls))
    begin = time.monotonic()
    results = await asyncio.gather(*(asyncio.to_thread(legacy, number, seconds) for number in range(calls)))
    took = time.monotonic() - begin
    right = sum(number == result for number, result in enumerate(results))
    print(f"{right} of {calls} calls of time.sleep({seconds:g}) in {took:.2f} s", flush=True)
    return 0 if right == calls else 1


if __name__ == "__main__":
    threading.stack_size(STACK)
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1
    sys.exit(asyncio.run(main(calls, seconds)))
