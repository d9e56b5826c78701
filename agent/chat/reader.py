"""Reads a question without a model: names, times and intent from its words, the rest from the thread."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from agent.chat import intents
from agent.chat.lexicon import Lexicon
from agent.chat.question import Intent, Question
from agent.chat.strangers import strangers_in
from agent.chat.times import Span, read_spans
from agent.vocabulary import kind_named

MAX_READ = 1_000
_IDS = re.compile(r"(?<![\w-])([aid]-\d{1,15}|e\d{1,4})(?![\w-])", re.IGNORECASE)
_LEANS = re.compile(
    r"^\W*(?:and|but|or|also|what about|how about|then|same|why|since when|when)\b"
    r"|\b(?:it|its|that|this|those|these|they|them|(?<!is )(?<!are )(?<!was )(?<!were )there|then|the same)\b"
)
_OPENS = re.compile(r"^\W*(?:and|but|or|also|what about|how about|then)\b")
_REFERS = re.compile(
    r"\b(?:it|its|that|those|these|they|them|(?<!is )(?<!are )(?<!was )(?<!were )there|the same"
    r"|this one|that one)\b"
)
_SLOW = re.compile(r"\b(?:slow|slower|late|laggy|lagging|fast|quick)\b")
_SINCE_IT = re.compile(r"\bsince (?:it|this|that|the incident|then)(?: (?:started|began|happened))?\b")
_BEFORE_IT = re.compile(
    r"\b(?:before|prior to|ahead of) (?:it|this|that|the (?:incident|drop|loss|trouble)|i-\d+)\b"
)
_TIMED: frozenset[Intent] = frozenset({"events", "logs", "movers", "value", "money", "what_happened"})
# The worst stretch of a series is not looked for; the worst steps of each are.
_WORST_STEP = re.compile(r"\b(?P<end>worst|best) (?:(?:\w+ )?(?:minutes?|hours?|intervals?|moments?))\b")
_PRIOR = re.compile(r"^\W*and (?:in )?(?:the )?(?:\w+ ){0,2}(?:minutes?|hours?|days?)? ?before(?: that)?\W*$")
_COSTS = re.compile(r"\b(?:cost|costs|lose|lost|expensive|impact|how much)\b")
_MONEY_VERBS = re.compile(
    r"\b(?:how much|what)\b.*\b(?:lose|lost|make|made|earn|earned|gain|gained|cost|win|won)\b"
    r"|\b(?:lost|made|earned|losing|loses|gained|making)\b.*\b(?:most|least|money|us)\b"
    r"|\bhow (?:did|is|was|are|does|has|have) \S* ?(?:\w+ )?(?:do|done|doing|perform\w*)\b"
    r"|\bwho\b.*\b(?:bleed\w*|los\w+|made|mak\w+|earn\w*)\b"
    r"|\b(?:worst|best) (?:performing )?(?:strategy|venue|symbol)\b"
    r"|\bwhich \w+ (?:suffers?|is suffering|(?:is|was|are|were) (?:worst |most )?(?:hit|hurt))\b"
    r"|\bwhich \w+ (?:lost|made|earned|is losing|is making|loses|makes|performed|did)\b"
)
# These speak of something that went wrong, and mean what was spoken of last unless they say what.
_ALWAYS_ABOUT: frozenset[Intent] = frozenset(
    {"actions", "similar", "how_bad", "explain", "last_time", "against", "over", "significant"}
)
# So do questions that speak of finding it, or of it as an incident.
_FOUND = re.compile(r"\b(?:detect|notice|spot|flag|page|incident|alert)(?:e?d)?\b")
_MONEY_LIKE: frozenset[Intent] = frozenset(
    {"unknown", "what_happened", "status", "inventory", "list_incidents"}
)
_ABOUT: frozenset[Intent] = frozenset(
    {
        *("why", "when", "how_bad", "actions", "explain", "similar", "movers", "diagnose"),
        *("last_time", "against", "over", "significant"),
    }
)


def read(text: str, lexicon: Lexicon, now: datetime, before: Question | None = None) -> Question:
    """What a question asks.

    Args:
        text: as written; only its first 1,000 characters are read.
        lexicon: the names of this desk.
        now: the service's clock at the moment it was asked.
        before: the question before it in the thread.
    """
    plain = _plain(text)
    ids = tuple(dict.fromkeys(match[1].upper() for match in _IDS.finditer(plain)))
    spans, rest = read_spans(_IDS.sub(" ", plain), now)
    metrics, rest = lexicon.names_in(rest)
    labels, rest = lexicon.labels_in(rest)
    absent, rest = lexicon.absent_in(rest)
    strangers, unknown = strangers_in(rest)
    question = Question(
        text=text,
        metrics=metrics,
        labels=labels,
        spans=tuple(spans),
        ids=ids,
        statistic=intents.statistic_of(plain),
        dimension=intents.dimension_of(plain),
        severity=intents.severity_of(plain),
        status=intents.status_of(plain),
        lowest=intents.wants_lowest(plain),
        absent=absent,
        strangers=strangers,
        unknown=unknown,
        counted="how many" in plain or "number of" in plain,
    )
    worst = _WORST_STEP.search(plain)
    if worst is not None and question.metrics:
        return replace(question, intent="value", statistic="max" if worst["end"] == "best" else "min")
    wish = _SINCE_IT.sub(" ", plain)
    question = replace(question, intent=_intent(question, wish))
    if question.intent in _MONEY_LIKE:
        question = _with_speed(_with_money(question, plain, lexicon), plain, lexicon)
    question = _in_context(question, plain, before) if before is not None else question
    return _before_it(question, plain, before)


def _before_it(question: Question, plain: str, before: Question | None) -> Question:
    """`What changed before it?` is about the time that led up to the incident spoken of."""
    if question.intent not in _TIMED or not _BEFORE_IT.search(plain):
        return question
    spoken = (*question.ids, *((*before.ids, *before.cited) if before else ()))
    incident = next((one for one in spoken if one.startswith("I-")), None)
    return question if incident is None else replace(question, until=incident, spans=(), ids=())


def _plain(text: str) -> str:
    lowered = text[:MAX_READ].lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("p & l", "p&l")
    return " ".join(lowered.split())


def _with_money(question: Question, plain: str, lexicon: Lexicon) -> Question:
    """`How much did mm_btc lose?` asks for PnL without naming it."""
    if question.metrics or not _MONEY_VERBS.search(plain) or question.unknown or question.absent:
        return question
    return replace(question, metrics=lexicon.metrics.get("pnl", ()), intent="money")


def _with_speed(question: Question, plain: str, lexicon: Lexicon) -> Question:
    """`Is binance slow?` asks whether its latencies are as usual."""
    if question.metrics or not question.labels or not _SLOW.search(plain):
        return question
    return replace(question, metrics=lexicon.metrics.get("latency", ()), intent="compare")


def is_money(question: Question) -> bool:
    """Whether the question is about profit and loss."""
    return bool(question.metrics) and all(kind_named(name).name == "pnl" for name in question.metrics)


def _intent(question: Question, plain: str) -> Intent:
    worded = intents.intent_of(plain)
    if question.ids and worded in {
        None,
        "status",
        "list_incidents",
        "list_anomalies",
        "what_happened",
        "worst",
    }:
        return "explain"
    if question.ids and _COSTS.search(plain):
        return "how_bad"
    if worded == "inventory" and question.metrics:
        worded = None
    if worded == "when" and question.statistic is None and question.spans and not question.has_subject:
        return worded
    if question.metrics and worded in {None, "status", "list_incidents", "inventory", "explain", "how_bad"}:
        return "money" if is_money(question) else "value"
    if worded is None and question.labels and not question.unknown and not question.absent:
        return "what_happened"
    return worded or "unknown"


def _in_context(question: Question, plain: str, before: Question) -> Question:
    """Fill in from the question before what this one leaves out."""
    bare = question.intent == "unknown" or bool(_OPENS.search(plain))
    needy = question.intent in _ABOUT and not question.has_subject and not question.spans
    leans = bool(_LEANS.search(plain)) or needy or (bare and not question.unknown)
    if not leans or (question.intent == "unknown" and question.unknown):
        return question
    if _SINCE_IT.search(plain) and (before.ids or before.cited) and not question.spans:
        return replace(question, since=(before.ids or before.cited)[0], follows=True)
    if _PRIOR.search(plain) and before.span is not None:
        earlier = before.span.shifted(-before.span.length)
        return _inherit(replace(question, intent=before.intent, spans=(earlier,)), before, spans=False)
    filled = question
    worded = intents.intent_of(plain)
    if bare and worded is None and (question.has_subject or question.spans or question.dimension):
        filled = replace(filled, intent=_kept(question, before), follows=True)
        filled = replace(
            filled,
            statistic=question.statistic or before.statistic,
            dimension=question.dimension or before.dimension,
            lowest=question.lowest or before.lowest,
            severity=question.severity or before.severity,
            spans=_of_that_day(question, before),
        )
        return _inherit(filled, before, spans=not question.spans)
    if not question.has_subject or (_REFERS.search(plain) and not question.metrics and not question.ids):
        filled = _inherit(replace(filled, follows=True), before, spans=not question.spans)
    if filled.intent == "compare" and filled.follows:
        filled = _compared(filled, question, before)
    return filled


def _kept(question: Question, before: Question) -> Intent:
    """The intent goes on; a newly named quantity turns a question about money into one about its value."""
    if question.metrics and before.intent in {"money", "value"}:
        return "money" if is_money(question) else "value"
    return before.intent


def _inherit(question: Question, before: Question, *, spans: bool) -> Question:
    recalled = () if question.ids else _ids_of(question, before)
    if recalled:
        # An incident says by itself when it was and what it touched.
        return replace(question, ids=recalled, follows=True)
    named = {name for name, _ in question.labels}
    kept = tuple(pair for pair in before.labels if pair[0] not in named)
    return replace(
        question,
        metrics=question.metrics or before.metrics,
        labels=(*kept, *question.labels) if not question.ids else question.labels,
        spans=before.spans[:1] if spans and before.spans else question.spans,
        follows=True,
    )


def _ids_of(question: Question, before: Question) -> tuple[str, ...]:
    """The incident that was spoken of last, unless figures were spoken of since."""
    # `How much of it is from bybit?` is about a part of what was spoken of.
    part = question.intent == "how_bad" and bool(_REFERS.search(question.text.lower()))
    if question.metrics or (question.labels and not part) or question.intent not in _ABOUT:
        return ()
    if before.ids:
        return before.ids
    figures = before.metrics or before.labels
    meant = question.intent in _ALWAYS_ABOUT or _FOUND.search(question.text.lower())
    return before.cited if before.fresh or not figures or meant else ()


def _compared(filled: Question, asked: Question, before: Question) -> Question:
    """`Was it the same yesterday?` compares the time that was spoken of with the one named now."""
    if not asked.spans or before.span is None:
        return filled
    other, first = asked.spans[0], before.span
    if other.day and first.length < timedelta(days=1) and not first.day:
        other = _same_hours(first, other)
    return replace(filled, spans=(first, other))


def _of_that_day(question: Question, before: Question) -> tuple[Span, ...]:
    """`And yesterday?` after a part of a day means the same part of that day."""
    first = before.span
    if len(question.spans) != 1 or not question.spans[0].day or first is None or first.day:
        return question.spans
    another = question.spans[0].start.date() != first.start.date()
    part = first.length < timedelta(days=1)
    return (_same_hours(first, question.spans[0]),) if part and another else question.spans


def _same_hours(span: Span, day: Span) -> Span:
    shift = day.start - span.start.replace(hour=0, minute=0, second=0, microsecond=0)
    return replace(span.shifted(shift), text=f"the same hours {day.text}")
