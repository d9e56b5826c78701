"""Reports carry foreign text without letting it act."""

import re

from api_desk import NASTY, NOW, anomaly, finished
from hypothesis import given
from hypothesis import strategies as st

from api.report import anomaly_report, code, diagnosis_report, incident_report, paragraphs, plain, share
from domain.diagnosis import Diagnosis
from domain.incident import Incident


def _diagnosis() -> Diagnosis:
    return finished(Diagnosis(id="D-1", timestamp=NOW, start_time=NOW, end_time=NOW))


@given(st.text())
def test_foreign_text_is_one_line_without_live_markup(text: str) -> None:
    for safe in (plain(text), code(text)):
        assert "\n" not in safe
        assert "\r" not in safe
    unescaped = re.sub(r"\\.", "", plain(text))
    assert not set("*_`[]<>|#") & set(unescaped)
    assert code(text).count("`") == 2


def test_marks_that_turn_the_direction_of_text_are_shown_not_obeyed() -> None:
    hidden = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff\x1b\x7f\x85\x00"
    for safe in (plain(f"a{hidden}b"), code(f"a{hidden}b"), paragraphs(f"a{hidden}b")):
        assert not set(hidden) & set(safe)
        assert "\N{REPLACEMENT CHARACTER}" in safe


def test_bold_survives_and_links_do_not() -> None:
    assert paragraphs("**late** [x](javascript:y)\n\n# next") == (
        "**late** \\[x\\](javascript:y)\n\n\\# next"
    )


def test_a_diagnosis_report_holds_every_part() -> None:
    text = diagnosis_report(_diagnosis())
    for part in (
        "# Diagnosis D-1: Hedges fill late",
        "## Do now",
        "- [ ] Route hedges",
        "72%",
        "**E1**",
        "6. **",
    ):
        assert part in text
    assert NASTY not in re.sub(r"`[^`]*`", "", text)


def test_a_report_tells_each_step_once() -> None:
    done = _diagnosis()
    known = done.model_copy(
        update={"detailed_analysis": "\n\n".join([*(step.text for step in done.steps), "Further thoughts."])}
    )
    text = diagnosis_report(known)
    assert all(text.count(plain(step.text)) == 1 for step in done.steps if len(step.text) > 20)
    assert text.count("Further thoughts.") == 1


def test_an_incident_report_holds_its_anomalies_and_its_diagnosis() -> None:
    incident = Incident(id="I-1", title=NASTY, severity="critical", started_at=NOW)
    text = incident_report(incident, [anomaly()], _diagnosis())
    assert "# CRITICAL I-1" in text
    assert "## Diagnosis D-1" in text
    assert NASTY not in re.sub(r"`[^`]*`", "", text)
    assert "-300 to 420" in anomaly_report(anomaly())


def test_only_certainty_is_called_certain() -> None:
    assert [share(one) for one in (0.0, 0.001, 0.5, 0.999, 1.0)] == ["0%", "< 1%", "50%", "> 99%", "100%"]
