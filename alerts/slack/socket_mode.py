"""Socket Mode: Slack's messages over a connection that we open, for a service that Slack cannot reach."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import SecretStr

from alerts.slack.inbound import Inbound, Road, Unreadable, read_payload
from domain.errors import AnalystError, ConfigurationError

if TYPE_CHECKING:
    from slack_sdk.socket_mode.builtin import SocketModeClient
    from slack_sdk.socket_mode.client import BaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest

log = structlog.get_logger()
ROADS: Mapping[str, Road] = {
    "events_api": "events",
    "interactive": "interactions",
    "slash_commands": "commands",
}
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
PING_S = 5.0


class SocketMode:
    """Listens with Slack's own client, which opens a new connection whenever one ends.

    An envelope is acknowledged after it was kept. What could not be kept is not acknowledged, and Slack
    sends it again.

    Args:
        token: app-level, with the scope `connections:write`.
        api_url: base of the Web API.
        take: keeps what came in and gives the answer, if there is one at once.
    """

    def __init__(
        self, token: SecretStr, api_url: str, take: Callable[[Inbound], Mapping[str, Any] | None]
    ) -> None:
        """Raises ConfigurationError where Slack's package is not installed."""
        try:
            import slack_sdk.socket_mode.builtin  # noqa: PLC0415 - an extra
        except ImportError:
            raise ConfigurationError(
                "alerts.slack.app_token", "Socket Mode needs the extra: pip install 'llm-analyst[slack]'"
            ) from None
        del slack_sdk
        self._token = token
        self._api_url = api_url
        self._take = take
        self._stop = threading.Event()
        self._client: SocketModeClient | None = None
        self._thread = threading.Thread(target=self._connect, name="slack-socket", daemon=True)

    def start(self) -> None:
        """Connect, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Hang up."""
        self._stop.set()
        if self._client is not None:
            self._client.close()
        self._thread.join(5)

    @property
    def connected(self) -> bool:
        """Whether a connection stands."""
        return self._client is not None and self._client.is_connected()

    def _connect(self) -> None:
        from slack_sdk.socket_mode.builtin import SocketModeClient  # noqa: PLC0415 - an extra
        from slack_sdk.web import WebClient  # noqa: PLC0415

        quiet = logging.getLogger("slack_sdk.socket_mode")
        quiet.setLevel(logging.CRITICAL)  # it would log what people wrote; what matters is logged here
        web = WebClient(base_url=f"{self._api_url.rstrip('/')}/", logger=quiet)
        client = SocketModeClient(
            self._token.get_secret_value(), logger=quiet, web_client=web, ping_interval=PING_S
        )
        client.socket_mode_request_listeners.append(self._received)
        self._client = client
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                client.connect()
            except Exception as error:  # noqa: BLE001 - whatever keeps Slack away may pass
                # The error's text could hold the address with its ticket.
                log.warning("slack_socket_failed", error=type(error).__name__, wait=pause)
            else:
                log.info("slack_socket_open")
                return
            self._stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _received(self, client: "BaseSocketModeClient", request: "SocketModeRequest") -> None:
        from slack_sdk.socket_mode.response import SocketModeResponse  # noqa: PLC0415 - an extra

        road = ROADS.get(request.type)
        answer: Mapping[str, Any] | None = None
        try:
            if road is not None:
                answer = self._take(read_payload(road, request.payload))
        except Unreadable as error:
            log.warning("slack_unreadable", road=road, reason=str(error))
        except AnalystError as error:
            log.warning("slack_not_kept", road=road, error=str(error))
            return
        except Exception:
            log.exception("slack_not_kept", road=road)
            return
        payload = dict(answer) if answer is not None and request.accepts_response_payload else None
        client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))
