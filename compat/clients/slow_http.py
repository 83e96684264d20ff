"""HTTP clients that keep a server's threads waiting: slow ones, which send their requests in pieces and finish in the reverse of the order in
which they began, and ones that all ask at once."""

import asyncio

import sessions


def request(path: str, number: int) -> bytes:
    return f"GET {path.format(number)} HTTP/1.0\r\nHost: localhost\r\nX-Client: {number}\r\n\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> tuple[str, str]:
    """The status line and the body."""
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    return head.split("\r\n")[0], body


def slow(port: int, clients: int, path: str, limit: float = 60) -> list[tuple[str, str]]:
    """What each client was answered; `{}` in `path` becomes its number. All send a few bytes at a time; when all are half through, so that a
    server with a thread for each has them all waiting in `recv`, the last one sends the rest and has its answer before the one before
    it goes on."""
    answered = [asyncio.Event() for _ in range(clients + 1)]
    answered[clients].set()

    async def session(number: int, barrier: asyncio.Barrier) -> tuple[str, str]:
        reader, writer = await sessions.connect(port)
        await barrier.wait()
        whole = request(path, number)
        half = len(whole) // 2
        for start in range(0, half, 16):
            writer.write(whole[start : min(start + 16, half)])
            await writer.drain()
            await asyncio.sleep(0.05)
        await barrier.wait()
        await answered[number + 1].wait()
        writer.write(whole[half:])
        found = await answer(reader)
        writer.close()
        answered[number].set()
        return found

    return sessions.together(clients, session, limit)


def at_once(port: int, clients: int, path: str, limit: float = 60) -> list[tuple[str, str]]:
    """What each of `clients` was answered that all ask at the same time."""

    async def session(number: int, barrier: asyncio.Barrier) -> tuple[str, str]:
        reader, writer = await sessions.connect(port)
        await barrier.wait()
        writer.write(request(path, number))
        found = await answer(reader)
        writer.close()
        return found

    return sessions.together(clients, session, limit)
