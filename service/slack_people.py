"""Who may do what in Slack: operators by id or by user group, everybody else may ask."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from alerts.slack.settings import EVERYBODY
from api.auth import OPERATE, Caller
from domain.errors import Forbidden, NotifyError

log = structlog.get_logger()
REMEMBERED_S = 300.0


class People:
    """Maps users of Slack to callers.

    Args:
        operators: ids of users and user groups, or `*`.
        members: the users of a group; raises NotifyError.
        moment: a monotonic clock, in seconds.
        home: our own workspaces; none where nobody can say. Raises NotifyError.
        guests: other workspaces whose people are treated like ours.
    """

    def __init__(
        self,
        operators: Sequence[str],
        members: Callable[[str], frozenset[str]],
        moment: Callable[[], float] = time.monotonic,
        *,
        home: Callable[[], frozenset[str]] = frozenset,
        guests: Sequence[str] = (),
    ) -> None:
        self._home = home
        self._guests = frozenset(guests)
        self._at_home: frozenset[str] | None = None
        self._everybody = EVERYBODY in operators
        self._users = frozenset(one for one in operators if not one.startswith("S"))
        self._groups = tuple(one for one in operators if one.startswith("S"))
        self._members = members
        self._moment = moment
        self._guard = threading.Lock()
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    def belongs(self, team: str) -> bool:
        """Whether somebody of this workspace is answered; raises NotifyError where Slack cannot say yet."""
        if not team or team in self._guests:
            return True
        if self._at_home is None:
            try:
                self._at_home = self._home()
            except NotifyError as error:
                if not error.permanent:
                    raise
                log.warning("slack_workspace_unknown", error=error.reason)
                return True
        known = self._at_home or self._guests
        return team in known or not known

    def caller(self, user: str) -> Caller:
        """The caller behind a user of Slack; raises NotifyError where Slack cannot say for a moment."""
        trusted = self._everybody or user in self._users or any(user in self._of(one) for one in self._groups)
        return Caller(f"slack:{user}", "operator" if trusted else "viewer")

    def operator(self, user: str) -> Caller:
        """The same, for somebody who must be an operator; raises Forbidden."""
        caller = self.caller(user)
        if caller.role not in OPERATE:
            raise Forbidden(f"you may ask, but not change anything; {user} is not on the list of operators")
        return caller

    def _of(self, group: str) -> frozenset[str]:
        with self._guard:
            known = self._known.get(group)
        if known is not None and self._moment() - known[0] < REMEMBERED_S:
            return known[1]
        try:
            found = self._members(group)
        except NotifyError as error:
            if not error.permanent:
                raise
            # No scope, or no such group: nobody is an operator by it, and the log says why.
            log.warning("slack_group_unknown", group=group, error=error.reason)
            found = frozenset()
        with self._guard:
            self._known[group] = (self._moment(), found)
        return found
