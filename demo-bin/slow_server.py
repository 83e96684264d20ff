"""A server that takes its time: it answers each request 100 ms after it came, any number of them at once.

A request is one line with a number, the answer the number that the server makes of it; then the connection is closed.
Listens on 127.0.0.1 and a free port, which it prints, and ends on SIGTERM. fetch_all.c is its client.
"""

import asyncio

ANSWER_AFTER = 0.1  # seconds


async def answer(reader, writer):
    item = int(await reader.readline())
    await asyncio.sleep(ANSWER_AFTER)
    writer.write(f"{item * item + 1}\n".encode())
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
