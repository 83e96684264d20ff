"""Asks memcached in its text protocol, over many connections at once."""

import asyncio

import sessions


def exercise(port: int, connections: int, rounds: int) -> dict[str, object]:
    """Each connection stores, reads, counts and deletes; all raise one counter together. Returns what was answered."""

    async def session(number: int, barrier: asyncio.Barrier) -> list[str]:
        reader, writer = await sessions.connect(port)

        async def ask(request: str, lines: int = 1) -> str:
            writer.write(request.encode())
            return "".join([(await reader.readline()).decode() for _ in range(lines)])

        answers = [await ask("add shared 0 0 1\r\n0\r\n")] if number == 0 else []
        await barrier.wait()
        for turn in range(rounds):
            value = f"{number}-{turn}-" + "x" * (turn * 37 % 2000)
            answers.append(await ask(f"set key-{number} 7 0 {len(value)}\r\n{value}\r\n"))
            answers.append(await ask(f"get key-{number}\r\n", lines=3))
            # The counter's value depends on the order of all.
            await ask("incr shared 1\r\n")
        answers.append(await ask(f"delete key-{number}\r\n"))
        answers.append(await ask(f"get key-{number}\r\n"))
        await barrier.wait()
        answers.append(await ask("get shared\r\n", lines=3))
        writer.close()
        return answers

    answers = sessions.together(connections, session)
    return {"answers": answers, "counter": answers[0][-1].split("\r\n")[1].strip()}
