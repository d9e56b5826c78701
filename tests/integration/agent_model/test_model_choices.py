"""Which model is asked, with which examples, in a prompt of which size; and what is stored about it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from model_rig import NOW, Rig, a_case, hurried, request_of, rig, settings_for
from small_desk import INCIDENTS

from agent.evidence.case import Case
from agent.model.tokens import count_messages, count_tokens
from agent.model_desk import ModelDesk
from agent.reasoners.questions import FAMILIES, MAX_PROMPT_TOKENS, Example
from api.stores import Stores
from db.database import Database
from domain.anomaly import AnomalyType
from domain.diagnosis import Diagnosis, DiagnosisRequest, Hypothesis
from domain.feedback import DiagnosisVerdict, Feedback
from evaluation.fake_model.server import FakeModelServer
from prompts.template import version
from service.models import build_desk

KINDS: dict[str, tuple[AnomalyType, str]] = {
    "performance_drop": ("sudden_loss", "bad_deploy"),
    "system_error": ("resource_exhaustion", "connection_pool_exhaustion"),
    "execution_delay": ("execution_delay", "venue_gateway_latency"),
    "market_anomaly": ("price_spike", "flash_crash"),
    "data_feed": ("stale_feed", "stale_feed"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


def typed(case: Case, kind: AnomalyType) -> DiagnosisRequest:
    return request_of(case).model_copy(update={"anomaly_type": kind})


def confirmed(stores: Stores, kind: AnomalyType, n: int, verdict: DiagnosisVerdict = "correct") -> Diagnosis:
    """A stored diagnosis that a person judged."""
    request = DiagnosisRequest(
        anomaly_type=kind,
        start_time=NOW - timedelta(days=n + 1),
        end_time=NOW - timedelta(days=n),
        affected_metrics=("pnl",),
    )
    asked = stores.diagnoses.create(request, now=NOW - timedelta(days=n)).diagnosis
    primary = Hypothesis(
        id="H1", title="t", cause="bad_deploy", component=f"strategy:s{n}", description="", confidence=0.9
    )
    done = asked.model_copy(
        update={
            "status": "done",
            "primary_hypothesis": primary,
            "executive_summary": f"Summary {n} of {kind}.",
        }
    )
    stores.diagnoses.save(done)
    said = Feedback(
        kind="diagnosis",
        target_id=done.id,
        verdict=verdict,
        author="t",
        created_at=NOW - timedelta(hours=n),
    )
    stores.feedback.add(said)
    return done


def test_examples_are_confirmed_diagnoses_of_the_same_family_the_newest_first(
    database: Database, server: FakeModelServer
) -> None:
    stores = Stores.of(database)
    confirmed(stores, "volume_spike", 4)
    older, newer = confirmed(stores, "price_spike", 3), confirmed(stores, "funding_shock", 2)
    confirmed(stores, "spread_widening", 1, "incorrect")
    confirmed(stores, "stale_feed", 1)
    case = a_case("flash_crash")
    gateway = rig(settings_for("honest", server), case).gateway
    cases = SimpleNamespace(build=lambda _request: case)
    desk = build_desk(gateway, stores, cases, lambda: NOW)  # type: ignore[arg-type]
    assert desk is not None
    found = desk.examples(typed(case, "volatility_spike"))
    assert [one.id for one in found] == [newer.id, older.id]
    assert [one.cause for one in found] == ["bad_deploy"] * 2
    assert not desk.examples(typed(case, "execution_delay"))


async def investigated(
    server: FakeModelServer, kind: AnomalyType, incident: str, examples: tuple[Example, ...] = ()
) -> tuple[Rig, Diagnosis]:
    one = rig(settings_for("tools", server), a_case(incident))
    models = ModelDesk(one.gateway, lambda _request: one.case, lambda _request: examples)
    request = typed(one.case, kind)
    one.investigator._around = replace(
        one.investigator._around, models=models, asked=lambda _diagnosis: request
    )
    begun = Diagnosis(
        id="D-1",
        timestamp=NOW,
        start_time=request.start_time,
        end_time=request.end_time,
        affected_metrics=request.affected_metrics,
        reasoner="llm",
    )
    one.diary.save(begun)
    return one, await one.investigator.run("D-1")


def test_every_family_has_its_own_prompt() -> None:
    assert set(KINDS) == set(FAMILIES)
    assert all(kind in FAMILIES[family] for family, (kind, _) in KINDS.items())
    assert {incident for _, incident in KINDS.values()} <= set(INCIDENTS)


@pytest.mark.parametrize("family", KINDS)
async def test_what_is_sent_for_each_family_fits_and_is_named_on_the_diagnosis(
    family: str, server: FakeModelServer
) -> None:
    sent = len(server.requests)
    examples = tuple(Example(f"D-{i}", "bad_deploy", "strategy:x", "It lost money. " * 40) for i in (7, 8))
    one, diagnosis = await investigated(server, *KINDS[family], examples)
    assert diagnosis.reasoner == "llm"
    names = [name.partition("@")[0] for name in diagnosis.prompt_versions]
    assert names[-1] == "summary"
    assert all(version(name.partition("@")[0]) == name for name in diagnosis.prompt_versions)
    stored = one.calls.calls
    assert [call.prompt_version for call in stored] == [
        call.prompt_version for call in stored if call.prompt_version in diagnosis.prompt_versions
    ]
    for body in server.requests[sent:]:
        whole = count_messages(body["messages"]) + count_tokens(
            json.dumps([body.get("tools"), body["response_format"]])
        )
        assert whole <= MAX_PROMPT_TOKENS * 1.02
        text = str(body["messages"][1]["content"])
        shown = {line.split(" | ")[0] for line in text.splitlines() if line.startswith("E") and " | " in line}
        left_out = {one.id for one in diagnosis.evidence if one.kind != "query"} - shown
        assert not left_out or "Left out for space, least telling first:" in text
        assert all(name in text.partition("Left out for space")[2] for name in left_out)
    first = str(server.requests[sent]["messages"][1]["content"])
    begin = first.index("# Confirmed earlier cases of this family")
    assert "D-7 | bad_deploy | strategy:x | It lost money." in first[begin:]


async def test_low_severity_goes_to_the_cheaper_model(server: FakeModelServer) -> None:
    settings = settings_for("tools", server, low_severity_model="fake-honest")
    for severity, model in (("low", "fake-honest"), ("high", "fake-tools")):
        one = rig(settings)
        models = ModelDesk(one.gateway, lambda _r, c=one.case: c, severity=lambda _d, s=severity: s)  # type: ignore[misc]
        one.investigator._around = replace(one.investigator._around, models=models)
        diagnosis = await one.diagnose()
        assert {call.model for call in one.calls.calls} == {model}
        assert diagnosis.llm_model_used == model


async def test_the_model_that_answered_is_the_one_that_is_named(server: FakeModelServer) -> None:
    settings = settings_for("503", server, fallback_model="fake-honest")
    one = rig(settings, sleep=hurried)
    diagnosis = await one.diagnose()
    assert diagnosis.llm_model_used == "fake-honest"
    # A later process with the same record says the same.
    again = await rig(settings, calls=one.calls, sleep=hurried).diagnose()
    assert again.llm_model_used == "fake-honest"
