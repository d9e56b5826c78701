"""`analyst chat`: questions and answers in the terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import AnalystError

if TYPE_CHECKING:
    from rich.console import Console

Ask = Callable[[str, str | None], Iterator[tuple[str, Any]]]
_ENDINGS = {"exit", "quit", ":q", "bye"}


def chat(
    question: Annotated[list[str] | None, typer.Argument(help="One question; else a conversation.")] = None,
    url: Annotated[str | None, typer.Option(help="Address of a running service.")] = None,
    thread: Annotated[str | None, typer.Option(help="Go on with a stored thread, such as T-3.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per answer.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show the steps.")] = False,
) -> int:
    """Ask about the desk in plain words; every number in an answer comes from stored data."""
    from rich.console import Console  # noqa: PLC0415 -- keeps `analyst --help` fast

    shown = Console(highlight=False, soft_wrap=True)
    steps = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet or as_json)
    with _door(url, config) as ask:
        talk = _Talk(ask, shown, steps, thread, as_json=as_json)
        if question:
            return talk.turn(" ".join(question))
        return _converse(talk, shown)


def _converse(talk: "_Talk", shown: "Console") -> int:
    """Turn after turn until the input ends; piped questions are answered line by line."""
    interactive = sys.stdin.isatty()
    if interactive:
        shown.print("Ask about the desk; an empty line or Ctrl-D ends.", style="dim")
    code = 0
    while True:
        try:
            text = input("> " if interactive else "").strip()
        except (EOFError, KeyboardInterrupt):
            break
        if text.lower() in _ENDINGS or (interactive and not text):
            break
        if text:
            if not interactive:
                shown.print(f"> {text}", markup=False)
            code = max(code, talk.turn(text))
    if talk.thread and interactive:
        shown.print(f"This was {talk.thread}; go on with --thread {talk.thread}.", style="dim")
    return code


class _Talk:
    """A conversation in one thread."""

    def __init__(
        self, ask: Ask, shown: "Console", steps: "Console", thread: str | None, *, as_json: bool
    ) -> None:
        self._ask = ask
        self._shown = shown
        self._steps = steps
        self._as_json = as_json
        self.thread = thread

    def turn(self, text: str) -> int:
        """Ask, show steps and answer; 1 where it failed."""
        try:
            for event, data in self._ask(text, self.thread):
                self._show(event, data)
        except AnalystError as error:
            # Without the steps a failure is told all the same.
            sys.stderr.write(f"analyst: {error}\n")
            return 1
        return 0

    def _show(self, event: str, data: Any) -> None:
        if event == "tool.finished":
            error = f" {data['error']}" if data["error"] else ""
            self._steps.print(f"  {data['rows']} rows, {data['ms']:.0f} ms{error}", style="dim", markup=False)
        elif event == "tool.started":
            self._steps.print(f"  #{data['n']} {data['name']}", style="dim", markup=False, end="")
        elif event == "token" and not self._as_json:
            self._shown.print(data["text"], markup=False, end="")
        elif event == "error":
            self._steps.print(data["message"], style="red", markup=False)
        elif event == "run.finished":
            self._finished(data)

    def _finished(self, data: Any) -> None:
        self.thread = data.get("thread_id", self.thread)
        if self._as_json:
            sys.stdout.write(_json(data) + "\n")
            return
        cited = [one["id"] for one in data.get("citations", ()) if one["kind"] != "series"]
        self._shown.print()
        told = [f"sources: {', '.join(cited)}"] if cited else []
        told += [f"in the words of {data['model']}"] if data.get("model") else []
        if told:
            self._steps.print(f"  {'; '.join(told)}", style="dim", markup=False)
        self._shown.print()


def _json(data: Any) -> str:
    import json  # noqa: PLC0415

    return json.dumps(data, ensure_ascii=False)


@contextmanager
def _door(url: str | None, config: Path | None) -> Iterator[Ask]:
    """Ask a running service, or answer from the database in this process."""
    if url is not None:
        yield _over_http(url.rstrip("/"))
        return
    from service.rest_client import open_rest  # noqa: PLC0415

    with open_rest(None, config) as rest:

        def ask(text: str, thread: str | None) -> Iterator[tuple[str, Any]]:
            body = {"message": text, **({"thread_id": thread} if thread else {})}
            answer = rest.post("chat", body=body)
            yield "token", {"text": answer["answer"]}
            yield "run.finished", {"status": "done", **answer}

        yield ask


def _over_http(url: str) -> Ask:
    import os  # noqa: PLC0415

    import httpx2  # noqa: PLC0415 -- keeps `analyst --help` fast

    from service.rest_client import error_of, headers_from, server_sent, unreachable  # noqa: PLC0415

    headers = {"Accept": "text/event-stream", **headers_from(os.environ)}

    def ask(text: str, thread: str | None) -> Iterator[tuple[str, Any]]:
        body = {"message": text, **({"thread_id": thread} if thread else {})}
        try:
            with httpx2.stream(
                "POST", f"{url}/api/v1/chat", json=body, headers=headers, timeout=120
            ) as answer:
                if answer.is_error:
                    answer.read()
                    raise error_of(answer)
                yield from server_sent(answer.iter_lines())
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise unreachable(url, error) from None

    return ask
