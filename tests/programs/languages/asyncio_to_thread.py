"""asyncio.to_thread and run_in_executor: the event loop waits in epoll while threads sleep and call back by socket."""

import asyncio
import time


def blocking(n):
    time.sleep(0.01 * (n % 5))
    return n * n


async def main():
    results = await asyncio.gather(*(asyncio.to_thread(blocking, n) for n in range(20)))
    print(sum(results))
    ticks = 0
    task = asyncio.create_task(asyncio.to_thread(time.sleep, 0.2))
    while not task.done():
        await asyncio.sleep(0.01)
        ticks += 1
    print("the loop went on meanwhile:", ticks > 3)


asyncio.run(main())
