"""Many client sessions at once, in one thread of this driver: what the servers are asked by. A session that gets no answer in time ends all
with TimeoutError."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


def together(count: int, session: Callable[[int, asyncio.Barrier], Awaitable[Any]], limit: float = 30) -> list[Any]:
    """Runs `session(n, barrier)` for each n below `count` and returns what they returned, in order. Sessions that wait at the barrier go on when
    all have come to it: all are then connected at the same time."""

    async def run() -> list[Any]:
        barrier = asyncio.Barrier(count)
        async with asyncio.timeout(limit):
            return await asyncio.gather(*(session(n, barrier) for n in range(count)))

    return asyncio.run(run())


async def connect(port: int, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, **options)
