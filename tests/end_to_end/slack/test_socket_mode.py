"""Socket Mode: the same effects over a connection that the service opens, and opens again when it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from fake_socket import FakeSocket, fake_socket
from service_process import eventually
from slack_desk import (
    OPERATOR,
    SlackDesk,
    command_body,
    event_body,
    mention,
    pressed,
    slack_desk,
    text_of,
)


@pytest.fixture(scope="module")
def socket() -> Iterator[FakeSocket]:
    with fake_socket() as running:
        yield running


@pytest.fixture(scope="module")
def desk(socket: FakeSocket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlackDesk]:
    folder: Path = tmp_path_factory.mktemp("socket")
    with slack_desk(folder, f"sqlite:///{folder / 'analyst.db'}", socket=socket.url) as running:
        eventually(lambda: socket.connections, 30, "no connection was opened")
        yield running


def test_an_event_is_kept_acknowledged_and_answered_once(desk: SlackDesk, socket: FakeSocket) -> None:
    ts = desk.message()["ts"]
    payload = json.loads(event_body(mention("why?", ts), "EvSocket"))
    for n in range(3):
        socket.send("events_api", payload, f"envelope-{n}")
    eventually(lambda: {"envelope-0", "envelope-1", "envelope-2"} <= set(socket.acknowledged), 10)
    assert "bybit" in text_of(desk.reply_in(ts)[0])
    socket.send("events_api", json.loads(event_body(mention("since when?", ts))), "envelope-3")
    assert len(desk.reply_in(ts, 2)) == 2


def test_a_command_is_answered_in_its_acknowledgement(desk: SlackDesk, socket: FakeSocket) -> None:
    form = parse_qs(command_body(desk.slack, "status", OPERATOR).decode())
    socket.send("slash_commands", {name: values[0] for name, values in form.items()}, "command-1")
    answer = eventually(lambda: socket.acknowledged.get("command-1"), 10, "no answer")
    assert "Open incidents" in text_of(answer)


def test_a_button_works_and_the_connection_is_opened_again(desk: SlackDesk, socket: FakeSocket) -> None:
    before = socket.opened
    socket.drop()
    eventually(lambda: socket.opened > before and socket.connections, 60, "not opened again")
    socket.send("interactive", pressed(desk, desk.element("incident.acknowledge"), OPERATOR), "press-1")
    eventually(lambda: desk.incident()["status"] == "acknowledged", 20, "not acknowledged")
    assert "press-1" in socket.acknowledged


def test_nobody_can_call_the_signed_doors_and_no_ticket_is_logged(desk: SlackDesk) -> None:
    assert desk.event(mention("why?")).status_code == 401
    assert "secret-ticket" not in desk.process.output()
    assert "xapp-test" not in desk.process.output()
