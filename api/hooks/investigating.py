"""What alerts of other products lead to: events that last, and one investigation while they fire."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from api.doors import Doors
from api.hooks.alerts import ForeignAlert, worst_first
from api.hooks.matching import affected_metrics
from api.hooks.settings import HookSettings
from domain.anomaly import severity_rank
from domain.diagnosis import DiagnosisRequest
from domain.errors import Conflict, InvalidInput

_log = structlog.get_logger()
_SHORTEST = timedelta(minutes=5)
_LONGEST = timedelta(days=7)
# Replicas of a product tell the beginning of the same firing a little apart.
_APART_S = 300


@dataclass(frozen=True, slots=True)
class Begun:
    """The investigation that a notification started, or why it started none."""

    diagnosis_id: str | None = None
    affected_metrics: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    reason: str = ""


def take_up(door: Doors, sender: str, alerts: Sequence[ForeignAlert], settings: HookSettings) -> Begun:
    """Start one investigation of the alerts that began to fire, and note which ones have ended.

    An alert that keeps firing starts none, however often it is repeated; one that begins anew does, whether
    or not its end was told. The investigation is stored before its alerts are marked as known: whoever
    repeats an unanswered notification finds it again.

    Raises:
        Overloaded: too many investigations are waiting; the sender must come back.
    """
    channel = f"hooks.{sender}"
    for one in alerts:
        if one.status == "resolved":
            door.stores.deliveries.forget(channel, _firing(one))
    firing = [one for one in alerts if one.status == "firing"]
    if not firing:
        return Begun(reason="no alert is firing")
    fresh = [one for one in firing if not _is_known(door, channel, one)]
    if not fresh:
        return Begun(reason="these alerts fire already")
    least = severity_rank(settings.min_severity)
    grave = worst_first([one for one in fresh if severity_rank(one.severity) >= least])
    if not grave:
        return Begun(reason=f"no alert is of severity {settings.min_severity} or above")
    begun = _begin(door, sender, grave, settings)
    now = door.service.real_now()
    for one in grave:
        door.stores.deliveries.first_time(channel, _firing(one), now)
    return begun


def _firing(alert: ForeignAlert, shift: int = 0) -> str:
    """One firing of an alert: the same for all that begin in the same few minutes."""
    return f"{alert.fingerprint}@{int(alert.starts_at.timestamp()) // _APART_S + shift}"


def _is_known(door: Doors, channel: str, alert: ForeignAlert) -> bool:
    return any(door.stores.deliveries.seen(channel, _firing(alert, shift)) for shift in (0, -1, 1))


def _begin(door: Doors, sender: str, alerts: Sequence[ForeignAlert], settings: HookSettings) -> Begun:
    known = door.stores.series.all()
    metrics = affected_metrics(alerts, known, settings.outcome_metric)
    names = tuple(one.fingerprint for one in alerts)
    if not metrics:
        return Begun(alerts=names, reason=f"no series matches, and none is of {settings.outcome_metric}")
    start = min(one.starts_at for one in alerts)
    end = max(door.service.now(), start + _SHORTEST)
    request = DiagnosisRequest(
        # What has been firing for months is looked at as it is of late.
        start_time=max(start - timedelta(minutes=settings.lead_minutes), end - _LONGEST),
        end_time=end,
        affected_metrics=metrics,
    )
    try:
        diagnosis = door.service.diagnose(request, _key(sender, alerts))
    except Conflict:
        return Begun(alerts=names, reason="their investigation has been started before")
    except InvalidInput as error:
        _log.warning("hook.not_investigated", sender=sender, reason=str(error))
        return Begun(alerts=names, affected_metrics=metrics, reason=str(error))
    return Begun(diagnosis.id, metrics, names)


def _key(sender: str, alerts: Sequence[ForeignAlert]) -> str:
    """The same for the same alerts since the same times, whenever they are told."""
    told = sorted(f"{one.fingerprint}@{one.starts_at.timestamp()}" for one in alerts)
    return f"hook|{sender}|{hashlib.sha256('|'.join(told).encode()).hexdigest()}"
