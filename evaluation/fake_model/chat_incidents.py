"""The fake model's words about incidents and diagnoses."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.chat.wording import plural, signed_money
from evaluation.fake_model.chat_reader import ChatReading

Found = Mapping[str, Any]


def items(result: Found) -> Sequence[Found]:
    """The rows of a list."""
    return [one for one in result.get("items", ()) if isinstance(one, Mapping)]


def incident(reading: ChatReading, result: Found) -> str:
    """What is asked about an incident."""
    found, looked = result["incident"], result.get("diagnosis")
    intent = reading.question.intent
    if intent in {"over", "when"}:
        return _times(found, intent)
    if intent == "how_bad":
        impact = found.get("impact") or (looked or {}).get("impact")
        if not impact:
            return f"I have no data for what [{found['id']}] cost."
        amount, low, high = (
            signed_money(float(impact[k]), impact["unit"]) for k in ("amount", "low", "high")
        )
        return f"The impact of [{found['id']}] is {amount} (90 % interval {low} to {high})."
    if not isinstance(looked, Mapping):
        return f"[{found['id']}] {found['title']} has no diagnosis yet."
    return diagnosis(reading, looked, f"[{found['id']}] ")


def _times(found: Found, intent: str) -> str:
    began, ended = str(found["started_at"])[11:16], str(found.get("ended_at") or "")[11:16]
    if intent == "when":
        end = f" and ended at {ended} UTC" if ended else " and goes on"
        return f"[{found['id']}] began at {began} UTC{end}."
    if ended:
        return f"Yes, [{found['id']}] ended at {ended} UTC."
    return f"No, [{found['id']}] has been going on since {began} UTC."


def diagnosis(reading: ChatReading, result: Found, before: str = "") -> str:
    """What is asked about a diagnosis."""
    if reading.question.intent == "actions":
        actions = [str(one["text"]) for one in result.get("immediate_actions", ())]
        listed = "\n".join(f"- {one}" for one in actions)
        return f"{before}[{result['id']}] recommends:\n{listed}"
    primary = result.get("primary_hypothesis")
    if not isinstance(primary, Mapping):
        return f"{before}[{result['id']}] names no cause."
    if reading.question.intent == "against":
        return _against(result, primary, before)
    share = f"{float(primary['confidence']) * 100:.0f} %"
    text = f"{before}The likeliest cause is {primary['title']} at {primary.get('component', '-')}"
    lines = [f"{text}, {share}, by [{result['id']}]."]
    facts = [one for one in result.get("evidence", ()) if isinstance(one, Mapping)]
    return "\n".join([*lines, *(_fact(one) for one in facts[:3])])


def _against(result: Found, primary: Found, before: str) -> str:
    facts = {str(one["id"]): one for one in result.get("evidence", ()) if isinstance(one, Mapping)}
    named = [facts[one] for one in primary.get("contradicting", ()) if one in facts]
    lines = [f"{before}[{result['id']}] names {'these facts' if named else 'no fact'} against its cause."]
    lines += [_fact(one) for one in named[:3]]
    for one in result.get("alternative_hypotheses", ())[:3]:
        lines.append(f"- Else: {one['title']}, {float(one['confidence']) * 100:.0f} %")
    return "\n".join(lines)


def _fact(one: Found) -> str:
    quoted = f" It quotes “{one['quoted']}”." if one.get("quoted") else ""
    return f"- {one['statement']} [{one['id']}]{quoted}"


def evidence(_reading: ChatReading, result: Found) -> str:
    """One fact."""
    return _fact(result).removeprefix("- ")


def similar(_reading: ChatReading, result: Found) -> str:
    """Earlier incidents with the same cause."""
    found = items(result)
    if not found:
        return f"There is no earlier incident with the cause of [{result['of']}]."
    lines = [f"- [{one['id']}] {one['title']} on {str(one['started_at'])[:10]}" for one in found]
    return "\n".join(
        [f"{plural(len(found), 'earlier incident')} had the same cause as [{result['of']}]:", *lines]
    )
