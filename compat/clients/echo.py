"""An echo server, and clients that talk to one through whatever stands between, in plain text or over TLS."""

import asyncio
import socket
import ssl
import threading

import sessions


class Server:
    """Sends back what it gets, on a port of 127.0.0.1, until closed. It runs in threads of this driver."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    @staticmethod
    def echo(connection: socket.socket) -> None:
        try:
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)
        except OSError:
            pass

    def close(self) -> None:
        self.listener.close()


def talk(port: int, clients: int, messages: int, tls: ssl.SSLContext | None = None, limit: float = 30) -> int:
    """Has `clients` connections send `messages` messages each, waiting for the echo of each. Returns how many bytes came back as they
    were sent; fails with ValueError at the first that did not."""

    async def session(number: int, barrier: asyncio.Barrier) -> int:
        reader, writer = await sessions.connect(port, ssl=tls)
        await barrier.wait()
        count = 0
        for turn in range(messages):
            message = f"{number}:{turn}:".encode() * (1 + (number + turn) % 200)
            writer.write(message)
            if await reader.readexactly(len(message)) != message:
                raise ValueError(f"connection {number} got another echo of message {turn}")
            count += len(message)
        writer.close()
        return count

    return sum(sessions.together(clients, session, limit))


def trusting() -> ssl.SSLContext:
    """A client's TLS settings that accept any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
