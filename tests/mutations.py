"""True sentences about a desk's ledgers, and the same sentences with one thing made false."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from small_desk import INCIDENTS, incident

from agent.claims import CITES, plain_signs, sentences, tokens
from agent.evidence.ledger import gather
from agent.evidence.settings import EvidenceSettings
from agent.grounds import Register
from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import diagnose
from agent.runbooks import load_runbooks
from domain.diagnosis import DiagnosisRequest
from domain.evidence import Evidence

KINDS = ("times_ten", "sign", "series", "window")
_PLACES = ("binance", "bybit", "okx", "BTC", "ETH", "SOL")


@dataclass(frozen=True)
class Told:
    """A finished investigation with what it says."""

    investigation: Investigation
    register: Register

    @property
    def cited_sentences(self) -> list[str]:
        """Sentences of its steps that cite facts, and every fact with its id."""
        steps = [sentence for step in self.investigation.steps for sentence in sentences(step.text)]
        facts = [f"{one.statement} [{one.id}]" for one in self.investigation.ledger.evidence]
        return [one for one in (*steps, *facts) if CITES.search(one)]


def told(kind: str, seed: int) -> Told:
    """The statistical diagnosis of a simulated incident."""
    case = incident(kind, seed, 60 if seed % 3 == 0 else 300, decoys=seed % 2 == 0)
    request = DiagnosisRequest(start_time=case.start, end_time=case.end, affected_metrics=case.targets)
    runbooks = load_runbooks()
    done = diagnose(Investigation.begin(request, gather(case, EvidenceSettings()), runbooks))
    causes = frozenset(one.key for one in runbooks)
    return Told(done, Register(done.ledger, done.hypotheses, causes))


def diagnoses(count: int) -> Iterator[Told]:
    """So many of them, over all kinds of incidents in turn."""
    kinds = sorted(INCIDENTS)
    for i in range(count):
        yield told(kinds[i % len(kinds)], i // len(kinds))


def mutated(sentence: str, kind: str, one: Told, dice: random.Random) -> str | None:
    """The sentence with one thing made false; None where it has nothing of this kind."""
    text = plain_signs(sentence)
    body = CITES.split(text)[0]
    if kind == "series":
        return _other_place(text, body, one, dice)
    if kind == "window":
        return _other_time(text, body, one, dice)
    wanted = [
        token
        for token in tokens(body)
        if token.dimension not in {"time", "date"}
        and token.value
        and "interval" not in body[token.start :][:16]
    ]
    if kind == "sign":
        wanted = [token for token in wanted if token.dimension in {"number", "money", "percent"}]
    if not wanted:
        return None
    token = dice.choice(wanted)
    raw = token.text
    false = _tenfold(raw) if kind == "times_ten" else _other_sign(raw)
    return text[: token.start] + false + text[token.start + len(raw) :]


def _tenfold(raw: str) -> str:
    match = re.search(r"\d[\d,]*(\.\d+)?", raw)
    assert match is not None
    digits = match[0].replace(",", "")
    decimals = len(digits.partition(".")[2])
    return raw[: match.start()] + f"{float(digits) * 10:,.{decimals}f}" + raw[match.end() :]


def _other_sign(raw: str) -> str:
    if "-" in raw:
        return raw.replace("-", "", 1)
    return "-" + raw.replace("+", "", 1)


def _other_place(text: str, body: str, one: Told, dice: random.Random) -> str | None:
    """Another venue or symbol of the desk in the place of the one that is named."""
    named = [place for place in _PLACES if re.search(rf"\b{place}\b", body)]
    if not named:
        return None
    old = dice.choice(named)
    same = _PLACES[:3] if old in _PLACES[:3] else _PLACES[3:]
    stated = " ".join(fact.statement for fact in _facts(text, one))
    others = [place for place in same if place not in stated and place not in body]
    others = [place for place in others if place.lower() in one.register.names]
    return re.sub(rf"\b{old}\b", dice.choice(others), text, count=1) if others else None


def _facts(text: str, one: Told) -> list[Evidence]:
    found = [one.investigation.ledger.fact(name) for name in re.findall(r"E\d+", text)]
    return [fact for fact in found if fact is not None]


def _other_time(text: str, body: str, one: Told, dice: random.Random) -> str | None:
    times = [token for token in tokens(body) if token.dimension == "time"]
    if not times:
        return None
    token = dice.choice(times)
    minutes = {
        int(t.value)
        for fact in one.investigation.ledger.evidence
        for t in tokens(fact.statement)
        if t.dimension == "time"
    }
    truth = {
        int(t.value) for fact in _facts(text, one) for t in tokens(fact.statement) if t.dimension == "time"
    }
    others = sorted(minutes - truth) or [(int(token.value) + 60) % 1440]
    other = dice.choice(others)
    return text[: token.start] + f"{other // 60:02}:{other % 60:02}" + text[token.start + len(token.text) :]
