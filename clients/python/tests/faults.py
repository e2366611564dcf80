"""A server of raw sockets that answers, drops, drips, or is silent, as a test wants."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

FORM = {
    "name": "v",
    "entities": [{"name": "id", "type": "int64"}],
    "features": [{"name": "f", "type": "float64"}],
    "source": {"event_time": "event_time"},
    "window": {"lateness": "1m30s"},
}


def answer(body: Any, status: int = 200, **headers: str) -> bytes:
    """Returns an HTTP answer."""
    content = json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} Any",
        f"Content-Length: {len(content)}",
        *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def rows(request: bytes, generation: int = 1) -> bytes:
    """Answers a read of rows as the platform does; the value is the key and a half."""
    keys = json.loads(request.partition(b"\r\n\r\n")[2])["keys"]
    one = {"statuses": {"f": "PRESENT"}, "event_times": {"f": "2026-11-01T00:00:00Z"}}
    about = {"version": 3, "verdict": "vd", "generation": generation, "age_seconds": 1, "stale": False, "fallback": ""}
    return answer(
        {"view": "v", "rows": [{"key": k, "values": {"f": k["id"] + 0.5}, **one} for k in keys], "provenance": about}
    )


def part(first: int, keys: list[Any]) -> bytes:
    """Returns a line of a stream of v:f, with the values of rows."""
    one = {"statuses": {"v:f": "PRESENT"}, "event_times": {"v:f": "2026-11-01T00:00:00Z"}}
    about = {"version": 3, "verdict": "vd", "generation": 1, "age_seconds": 1, "stale": False, "fallback": ""}
    listed = [{"key": k, "values": {"v:f": k["id"] + 0.5}, **one} for k in keys]
    return json.dumps({"first": first, "rows": listed, "provenance": {"v": about}}).encode() + b"\n"


def asked_for(request: bytes) -> list[Any]:
    """Returns the keys of a request."""
    keys: list[Any] = json.loads(request.partition(b"\r\n\r\n")[2])["keys"]
    return keys


class Parts:
    """A behaviour: streams parts of size rows, each after pause seconds; after some it does as end says. Without, it
    answers all."""

    def __init__(
        self,
        size: int,
        after: int | None = None,
        end: Callable[[socket.socket], None] | None = None,
        pause: float = 0.0,
    ) -> None:
        self.size, self.after, self.end, self.pause = size, after, end, pause

    def __call__(self, conn: socket.socket, request: bytes) -> bytes | None:
        keys = asked_for(request)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n, first in enumerate(range(0, len(keys), self.size)):
            if n == self.after and self.end:
                self.end(conn)
                return None
            threading.Event().wait(self.pause)
            chunk(conn, part(first, keys[first : first + self.size]))
        return b"0\r\n\r\n"


def chunk(conn: socket.socket, body: bytes) -> None:
    """Sends a chunk in two pieces, so that lines arrive cut."""
    conn.sendall(b"%x\r\n" % len(body) + body[: len(body) // 2])
    conn.sendall(body[len(body) // 2 :] + b"\r\n")


def reset(conn: socket.socket) -> None:
    """Ends a connection with a reset instead of an end."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def half_a_part(conn: socket.socket) -> None:
    """Sends the beginning of a part."""
    conn.sendall(b'40\r\n{"first":')


def hang(conn: socket.socket) -> None:
    """Says nothing more until the client closes."""
    conn.recv(1)


def error_line(code: str) -> Callable[[socket.socket], None]:
    """Ends a stream properly, with an error as its last line."""

    def end(conn: socket.socket) -> None:
        chunk(conn, json.dumps({"error": {"code": code, "message": "no more", "hint": "ask again"}}).encode() + b"\n")
        conn.sendall(b"0\r\n\r\n")

    return end


Behaviour = Callable[[socket.socket, bytes], bytes | None]  # None closes the connection


@dataclass
class Faulty:
    """The server: reads of rows and actions get what the next behaviour says, the last one from then on."""

    url: str
    plan: list[Behaviour] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    connections: int = 0


def _request(conn: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = conn.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length")), 0)
    while len(body) < length:
        body += conn.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def faulty(*plan: Behaviour) -> Iterator[Faulty]:
    """Runs the server on a free port; all its threads end with it."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Faulty(f"http://127.0.0.1:{listener.getsockname()[1]}", list(plan))
    open_ones: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(conn: socket.socket) -> None:
        with conn:
            try:
                while request := _request(conn):
                    if request.startswith(b"GET /api/v1/views/v HTTP"):
                        conn.sendall(answer(FORM))
                        continue
                    server.asked.append(request)
                    behave = server.plan.pop(0) if len(server.plan) > 1 else server.plan[0]
                    reply = behave(conn, request)
                    if reply is None:
                        return
                    conn.sendall(reply)
            except OSError:
                return  # the client, or the end of the test, closed it

    def accept() -> None:
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            open_ones.append(conn)
            threads.append(threading.Thread(target=serve, args=(conn,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for conn in open_ones:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already
        for thread in threads:
            thread.join()


def well(_: socket.socket, request: bytes) -> bytes:
    """Answers."""
    return rows(request)


def torn(conn: socket.socket, _: bytes) -> None:
    """Takes the request and resets the connection."""
    reset(conn)


def drop(_: socket.socket, request: bytes) -> None:
    """Takes the request and closes the connection."""


def silent(conn: socket.socket, _: bytes) -> None:
    """Takes the request and says nothing until the client closes."""
    conn.recv(1)


def drip(conn: socket.socket, request: bytes) -> None:
    """Answers a byte at a time, each within any read timeout, for ever."""
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    tick = threading.Event()
    while not tick.wait(0.02):
        conn.sendall(b" ")


def busy(after: str = "0", code: str = "unavailable") -> Behaviour:
    """Answers 503 with Retry-After."""
    body = {"error": {"code": code, "message": "overloaded", "hint": "ask again"}}
    return lambda _conn, _request: answer(body, 503, Retry_After=after)


def saying(status: int, body: Any, **headers: str) -> Behaviour:
    """Answers so."""
    return lambda _conn, _request: answer(body, status, **headers)
