"""A mail server on a loopback socket that takes mail, or answers one command with an error."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class FakeMail:
    """Keeps mails; `errors` maps a command to its answer, and `BODY` cuts the line after the mail."""

    port: int = 0
    mails: list[bytes] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


class _Handler(socketserver.StreamRequestHandler):
    mail: FakeMail

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            command = line.split(maxsplit=1)[0].upper()
            if command in self.mail.errors:
                self._say(self.mail.errors[command])
            elif command == "DATA":
                if not self._take():
                    return
            else:
                self._say("250 ok")

    def _take(self) -> bool:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        self.mail.mails.append(b"".join(lines))
        if "BODY" in self.mail.errors:
            return False
        self._say("250 taken")
        return True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients leave when they like."""


@contextmanager
def fake_mail() -> Iterator[FakeMail]:
    """A mail server that runs until the block ends."""
    kept = FakeMail()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"mail": kept}))
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
