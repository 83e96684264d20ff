"""Asks a DNS server on 127.0.0.1, many questions at once."""

import socket
import struct


def ask(port: int, names: list[str], limit: float = 10) -> list[str]:
    """The first address (A) that is answered for each name, or the response code."""
    sockets = []
    try:
        for number, name in enumerate(names):
            asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sockets.append(asker)
            asker.settimeout(limit)
            asker.connect(("127.0.0.1", port))
            labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
            asker.send(struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1))
        return [answer(asker.recv(4096)) for asker in sockets]
    finally:
        for asker in sockets:
            asker.close()


def answer(message: bytes) -> str:
    _, flags, _, answers, _, _ = struct.unpack("!6H", message[:12])
    if flags & 15 or not answers:
        return f"code {flags & 15}"
    # The question's name, then its type and class, stand before the answer; an answer to one question of type A ends with the address.
    place = 12
    while message[place]:
        place += message[place] + 1
    place += 5
    return ".".join(str(byte) for byte in message[place + 12 : place + 16])
