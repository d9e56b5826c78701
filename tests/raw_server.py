"""An HTTP server on loopback that behaves as told, byte by byte."""

import json
import socket
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress

Respond = Callable[[socket.socket, str], None]


class RawServer:
    """Accepts connections, reads the head of a request and hands the socket to a function."""

    def __init__(self) -> None:
        self.respond: Respond = reply(b"")
        self.requests: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.closing = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                chunk = connection.recv(65_536)
                if not chunk:
                    return
                head += chunk
            self.requests.append(head.decode("latin-1"))
            self.respond(connection, head.decode("latin-1"))

    def close(self) -> None:
        self.closing.set()
        # Wakes the thread that waits in accept.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def reply(
    body: bytes, *, status: str = "200 OK", content_type: str = "text/plain; version=0.0.4", **headers: str
) -> Respond:
    """An ordinary answer."""

    def respond(connection: socket.socket, head: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)

    return respond


def reply_json(document: object, **more: str) -> Respond:
    return reply(json.dumps(document).encode(), content_type="application/json", **more)


def hang(connection: socket.socket, head: str) -> None:
    time.sleep(30)


def drip_header(connection: socket.socket, head: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(300):
        connection.sendall(b"a")
        time.sleep(0.1)


def drip_body(connection: socket.socket, head: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(300):
        connection.sendall(b"# a\n")
        time.sleep(0.1)


def reset(connection: socket.socket, head: str) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def cut(connection: socket.socket, head: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nup 1\n")


def endless(connection: socket.socket, head: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"# " + b"x" * 65_000 + b"\n")


def bomb(connection: socket.socket, head: str) -> None:
    packer = zlib.compressobj(wbits=31)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    for _ in range(1_000):
        connection.sendall(packer.compress(b"\n" * 1_000_000))


def garbage(connection: socket.socket, head: str) -> None:
    connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00 what is this \r\n\r\n")


def counting_exporter() -> Respond:
    scrapes = 0

    def respond(connection: socket.socket, head: str) -> None:
        nonlocal scrapes
        scrapes += 1
        text = (
            "# TYPE orders_total counter\n"
            f'orders_total{{strategy="mm_btc",venue="bybit"}} {10 * scrapes}\n'
            "# TYPE spread_bps gauge\n"
            f'spread_bps{{venue="bybit"}} {1.5 + scrapes % 2}\n'
            'spread_bps{venue="dead"} NaN\n'
        )
        reply(text.encode())(connection, head)

    return respond
