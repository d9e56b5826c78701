"""Deliveries of GitHub and GitLab as changes of the desk's software: deploys and configuration."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from starlette.datastructures import Headers

from api.hooks.reading import instant, listed, mapping, one_line, required, words
from api.hooks.settings import HookSettings
from api.problem import invalid
from domain.event import Event
from domain.timestamps import EPOCH, MAX_FUTURE

_MAX_COMMITS = 2_048
_MAX_FILES = 3_000
_CONFIG_FILE = re.compile(
    r"(^|/)(config|conf|settings|values|params)(/|[^/]*$)|\.(toml|ya?ml|ini|cfg|conf|env|properties|json)$"
)
_NO_COMMIT = re.compile(r"0{40,64}")
_DEPLOYED = frozenset({"success", "in_progress", "running", "created"})


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed where, or why a delivery tells of no change."""

    kind: str = ""
    text: str = ""
    repository: str = ""
    at: datetime | None = None
    ignored: str = ""
    details: Mapping[str, str] | None = None


def change_of(
    sender: str, headers: Headers, document: Mapping[str, Any], settings: HookSettings, now: datetime
) -> Change:
    """Read a delivery; raises HttpProblem naming the field that is unusable."""
    if sender == "github":
        kind = headers.get("x-github-event", "")
        readers: Mapping[str, _Reader] = {
            "push": _github_push,
            "release": _github_release,
            "deployment": _github_deployment,
            "deployment_status": _github_deployment,
        }
    else:
        kind = words(document, "object_kind") or headers.get("x-gitlab-event", "")
        readers = {
            "push": _gitlab_push,
            "tag_push": _gitlab_push,
            "release": _gitlab_release,
            "deployment": _gitlab_deployment,
        }
    if not kind:
        raise invalid("event", "the delivery does not say what happened")
    reader = readers.get(kind)
    if reader is None:
        return Change(ignored=f"{one_line(kind, 60)} tells of no change")
    return reader(document, settings, now)


def event_of(sender: str, change: Change, delivery_id: str, settings: HookSettings, now: datetime) -> Event:
    """The event that is stored for a change; the same delivery gives the same event."""
    component = component_for(change.repository, settings.components)
    own = {"kind": change.kind, "sender": sender, "repository": change.repository, "component": component}
    named = {name: value[:500] for name, value in {**own, **(change.details or {})}.items() if value}
    at = change.at if change.at is not None and EPOCH <= change.at <= now + MAX_FUTURE else now
    return Event(
        timestamp=at,
        source="events",
        text=change.text,
        labels=named,
        dedupe_key=f"{sender}|{delivery_id}",
    )


def delivery_id_of(sender: str, headers: Headers, body: bytes) -> str:
    """What the sender calls this delivery, the same when it is sent again; else the digest of its body."""
    names = {
        "github": ("x-github-delivery",),
        "gitlab": ("webhook-id", "idempotency-key", "x-gitlab-event-uuid"),
        "generic": ("x-analyst-delivery", "idempotency-key", "webhook-id"),
    }.get(sender, ())
    given = next((headers[name] for name in names if headers.get(name)), "")
    return one_line(given, 200) or hashlib.sha256(body).hexdigest()


def component_for(repository: str, components: Mapping[str, str]) -> str:
    """The component that a repository is configured to be; empty where it is not."""
    if repository in components:
        return components[repository]
    return next((one for glob, one in components.items() if fnmatchcase(repository, glob)), "")


_Reader = Callable[[Mapping[str, Any], HookSettings, datetime], Change]


def _github_push(document: Mapping[str, Any], settings: HookSettings, _now: datetime) -> Change:
    repository = mapping(document, "repository")
    name = required(repository, "full_name", "repository.")
    if document.get("deleted") is True:
        return Change(ignored="a branch was deleted")
    default = words(repository, "default_branch", "repository.")
    head = mapping(document, "head_commit")
    said, at = _subject(head, "message", "head_commit."), _pushed_at(repository.get("pushed_at"))
    return _push(document, settings, _Pushed(name, default, said, words(document, "after"), at))


def _gitlab_push(document: Mapping[str, Any], settings: HookSettings, _now: datetime) -> Change:
    project = mapping(document, "project")
    name = required(project, "path_with_namespace", "project.")
    commit = words(document, "after")
    if _NO_COMMIT.fullmatch(commit):
        return Change(ignored="a branch was deleted")
    commits = listed(document, "commits", _MAX_COMMITS)
    last = commits[-1] if commits and isinstance(commits[-1], dict) else {}
    default = words(project, "default_branch", "project.")
    said = words(last, "title", "commits.") or _subject(last, "message", "commits.")
    return _push(document, settings, _Pushed(name, default, said, commit, None))


@dataclass(frozen=True, slots=True)
class _Pushed:
    repository: str
    default: str
    said: str
    commit: str
    at: datetime | None


def _push(document: Mapping[str, Any], settings: HookSettings, pushed: _Pushed) -> Change:
    ref = required(document, "ref")
    branch = ref.removeprefix("refs/heads/")
    wanted = settings.branches or ((pushed.default,) if pushed.default else ("*",))
    is_tag = ref.startswith("refs/tags/")
    if not is_tag and not any(fnmatchcase(branch, glob) for glob in wanted):
        return Change(ignored=f"pushes to {one_line(branch, 100)} do not count")
    kind = "config_change" if _only_configuration(document) else "deploy"
    what = f"tag {ref.removeprefix('refs/tags/')}" if is_tag else branch
    text = f"Pushed {pushed.repository} {what}" + (f" {pushed.commit[:12]}" if pushed.commit else "")
    return Change(
        kind=kind,
        text=f"{text}: {pushed.said}" if pushed.said else text,
        repository=pushed.repository,
        at=pushed.at,
        details={"version": pushed.commit[:12], "branch": "" if is_tag else branch},
    )


def _subject(content: Mapping[str, Any], name: str, place: str) -> str:
    """The first line of a commit's message."""
    said = content.get(name)
    first = said.split("\n", maxsplit=1)[0] if isinstance(said, str) else said
    return words({name: first}, name, place)


def _only_configuration(document: Mapping[str, Any]) -> bool:
    files = [
        path
        for i, commit in enumerate(listed(document, "commits", _MAX_COMMITS))
        if isinstance(commit, dict)
        for part in ("added", "modified", "removed")
        for path in listed(commit, part, _MAX_FILES, f"commits.{i}.")
    ]
    return bool(files) and all(isinstance(path, str) and _CONFIG_FILE.search(path) for path in files)


def _github_release(document: Mapping[str, Any], _settings: HookSettings, now: datetime) -> Change:
    name = required(mapping(document, "repository"), "full_name", "repository.")
    if words(document, "action") not in {"published", "released", ""}:
        return Change(ignored=f"a release was {words(document, 'action')}")
    release = mapping(document, "release")
    tag = required(release, "tag_name", "release.")
    title = words(release, "name", "release.")
    return Change(
        kind="deploy",
        text=f"Released {name} {tag}" + (f": {title}" if title and title != tag else ""),
        repository=name,
        at=instant(release, "published_at", now, "release."),
        details={"version": tag},
    )


def _github_deployment(document: Mapping[str, Any], _settings: HookSettings, now: datetime) -> Change:
    name = required(mapping(document, "repository"), "full_name", "repository.")
    deployment = mapping(document, "deployment")
    status = mapping(document, "deployment_status")
    state = words(status, "state", "deployment_status.") or "created"
    if state not in _DEPLOYED:
        return Change(ignored=f"a deployment is {state}")
    where = words(deployment, "environment", "deployment.")
    commit = words(deployment, "sha", "deployment.")[:12]
    about, place = (status, "deployment_status.") if status else (deployment, "deployment.")
    return Change(
        kind="deploy",
        text=f"Deployed {name} {commit} to {where or 'an environment'} ({state})",
        repository=name,
        at=instant(about, "created_at", now, place),
        details={"version": commit, "environment": where, "status": state},
    )


def _gitlab_release(document: Mapping[str, Any], _settings: HookSettings, now: datetime) -> Change:
    name = required(mapping(document, "project"), "path_with_namespace", "project.")
    if words(document, "action") not in {"create", ""}:
        return Change(ignored=f"a release was {words(document, 'action')}d")
    tag = required(document, "tag")
    title = words(document, "name")
    return Change(
        kind="deploy",
        text=f"Released {name} {tag}" + (f": {title}" if title and title != tag else ""),
        repository=name,
        at=instant(document, "released_at", now),
        details={"version": tag},
    )


def _gitlab_deployment(document: Mapping[str, Any], _settings: HookSettings, now: datetime) -> Change:
    name = required(mapping(document, "project"), "path_with_namespace", "project.")
    state = words(document, "status") or "created"
    if state not in _DEPLOYED:
        return Change(ignored=f"a deployment is {state}")
    where, commit = words(document, "environment"), words(document, "short_sha")
    return Change(
        kind="deploy",
        text=f"Deployed {name} {commit} to {where or 'an environment'} ({state})",
        repository=name,
        at=instant(document, "status_changed_at", now),
        details={"version": commit, "environment": where, "status": state},
    )


def _pushed_at(seconds: object) -> datetime | None:
    if isinstance(seconds, int) and not isinstance(seconds, bool) and 0 < seconds < 2**33:
        return datetime.fromtimestamp(seconds, UTC)
    return None
