"""As much of the MySQL protocol as it takes to log in without a password and to run statements, over many connections at once."""

import asyncio

import sessions

# CLIENT_LONG_PASSWORD | CLIENT_PROTOCOL_41 | CLIENT_TRANSACTIONS | CLIENT_SECURE_CONNECTION
CAPABILITIES = 0x1 | 0x200 | 0x2000 | 0x8000


class Connection:
    """One logged-in connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, user: str = "root") -> "Connection":
        connection = cls(*await sessions.connect(port))
        greeting = await connection.packet()
        if greeting[0] == 0xFF:
            raise ValueError(greeting[3:].decode(errors="replace"))
        login = CAPABILITIES.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + bytes([33]) + bytes(23)
        connection.send(login + user.encode() + b"\0" + b"\0", 1)
        reply = await connection.packet()
        if reply[0] == 0xFE:
            # A switch to another way of proving the password, which is empty.
            connection.send(b"", 3)
            reply = await connection.packet()
        if reply[0] != 0:
            raise ValueError(reply[3:].decode(errors="replace"))
        return connection

    def send(self, payload: bytes, sequence: int = 0) -> None:
        self.writer.write(len(payload).to_bytes(3, "little") + bytes([sequence]) + payload)

    async def packet(self) -> bytes:
        head = await self.reader.readexactly(4)
        return await self.reader.readexactly(int.from_bytes(head[:3], "little"))

    async def query(self, statement: str) -> list[list[str]]:
        """The rows of the result; none for a statement that has no result; one with the message for an error."""
        self.send(b"\x03" + statement.encode())
        first = await self.packet()
        if first[0] == 0xFF:
            return [[first[3:].decode(errors="replace")]]
        if first[0] == 0:
            return []
        for _ in range(first[0] + 1):  # the columns, and the end of their list
            await self.packet()
        rows = []
        while (packet := await self.packet())[0] != 0xFE:
            rows.append(fields(packet))
        return rows

    def close(self) -> None:
        self.send(b"\x01")
        self.writer.close()


def fields(packet: bytes) -> list[str]:
    """The values of a row: each with its length before it, 251 for NULL, 252 for a length of two bytes."""
    values, place = [], 0
    while place < len(packet):
        length, place = packet[place], place + 1
        if length == 251:
            values.append("NULL")
            continue
        if length == 252:
            length, place = int.from_bytes(packet[place : place + 2], "little"), place + 2
        values.append(packet[place : place + length].decode(errors="replace"))
        place += length
    return values
