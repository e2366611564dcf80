"""A Redis client of one call, for readiness and for building a cluster."""
import socket
from typing import BinaryIO

from .config import HOST

Reply = str | None | list["Reply"]


class RespError(Exception):
    """An error that Redis answered."""


def call(port: int, *arguments: object) -> Reply:
    """Send one command and return its reply. The error is OSError or RespError."""
    words = [str(a).encode() for a in arguments]
    with socket.create_connection((HOST, port), 3) as s:
        s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        with s.makefile("rb") as f:
            return _read(f)


def _read(f: BinaryIO) -> Reply:
    line = f.readline().rstrip(b"\r\n")
    kind, value = line[:1], line[1:]
    match kind:
        case b"-":
            raise RespError(value.decode())
        case b"$":
            return None if value == b"-1" else f.read(int(value) + 2)[:-2].decode()
        case b"*":
            return [_read(f) for _ in range(int(value))]
        case b"":
            raise ConnectionResetError("Redis closed the connection")
    return value.decode()


def fields(port: int, *arguments: object) -> dict[str, str]:
    """Return a reply of key:value lines; empty if Redis does not answer."""
    try:
        lines = str(call(port, *arguments)).splitlines()
    except (OSError, RespError):
        return {}
    return dict(line.split(":", 1) for line in lines if ":" in line)


def answers(port: int) -> bool:
    """Say whether Redis is up and has loaded its data."""
    try:
        return call(port, "PING") == "PONG"
    except (OSError, RespError):
        return False


def linked(port: int) -> bool:
    """Say whether the node is a primary, or a replica in step with its primary."""
    info = fields(port, "INFO", "replication")
    return info.get("role") == "master" or info.get("master_link_status") == "up"
