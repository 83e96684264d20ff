"""MariaDB, which has a thread for each connection."""

import asyncio
import time

import mysql
import sessions
from catalogue import case
from stage import Stage


@case(
    "mariadb",
    "a thread a connection: 200 clients in SELECT SLEEP(1) at once, transactions that wait for each other",
    {"mariadbd": "mariadb-server-core", "mysql_install_db": "mariadb-server-core", "my_print_defaults": "mariadb-client-core"},
    ["mariadbd", "-V"],
)
def mariadb(stage: Stage) -> None:
    port, data = stage.port(), stage.directory / "data"
    common = ["--no-defaults", f"--datadir={data}", "--user=root"]
    stage.client(["mysql_install_db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"], limit=120)
    command = ["mariadbd", *common, f"--socket={stage.directory}/socket", f"--port={port}", "--bind-address=127.0.0.1", "--max-connections=400"]
    command += ["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M"]
    server = stage.serve(command, port, limit=240)

    async def sleeper(number: int, barrier: asyncio.Barrier) -> list:
        connection = await mysql.Connection.open(port)
        await barrier.wait()
        began = time.monotonic()
        rows = await connection.query(f"SELECT {number}, SLEEP(1)")
        took = time.monotonic() - began
        connection.close()
        return [rows, took]

    async def alone(number: int, barrier: asyncio.Barrier) -> list:
        connection = await mysql.Connection.open(port)
        statements = ["CREATE DATABASE play", "CREATE TABLE play.account (id INT PRIMARY KEY, amount INT) ENGINE=InnoDB"]
        statements += [f"INSERT INTO play.account VALUES ({row}, 1000)" for row in range(8)]
        return [await connection.query(statement) for statement in statements]

    async def mover(number: int, barrier: asyncio.Barrier) -> None:
        """Moves money between two rows, taking their locks in the order of their numbers, so that movers wait for each other only."""
        connection = await mysql.Connection.open(port)
        await barrier.wait()
        for turn in range(20):
            giver, taker = (number + turn) % 8, (number + 3 * turn + 1) % 8
            first, second = sorted((giver, taker))
            await connection.query("BEGIN")
            for row in dict.fromkeys((first, second)):
                await connection.query(f"SELECT amount FROM play.account WHERE id = {row} FOR UPDATE")
            await connection.query(f"UPDATE play.account SET amount = amount - 1 WHERE id = {giver}")
            await connection.query(f"UPDATE play.account SET amount = amount + 1 WHERE id = {taker}")
            await connection.query("COMMIT")
        connection.close()

    async def auditor(number: int, barrier: asyncio.Barrier) -> list:
        connection = await mysql.Connection.open(port)
        return await connection.query("SELECT COUNT(*), SUM(amount) FROM play.account") + await connection.query(
            "SELECT id, amount FROM play.account"
        )

    async def asker(number: int, barrier: asyncio.Barrier) -> None:
        connection = await mysql.Connection.open(port)
        await barrier.wait()
        for turn in range(300):
            if await connection.query(f"SELECT {turn} * 2") != [[str(turn * 2)]]:
                raise ValueError("a wrong answer to a SELECT")
        connection.close()

    stage.answer("tables", sessions.together(1, alone))
    sleepers = sessions.together(200, sleeper, limit=60)
    stage.answer("sleepers", [rows for rows, _ in sleepers])
    sessions.together(16, mover, limit=60)
    stage.answer("accounts", sessions.together(1, auditor))
    if not stage.quick:
        stage.figure("200 times SELECT SLEEP(1)", max(took for _, took in sleepers), "s", more=False)
        began = time.monotonic()
        sessions.together(16, asker, limit=60)
        stage.figure("SELECT", 16 * 300 / (time.monotonic() - began), "a second")
    stage.answer("exit status", server.stop(limit=40))
