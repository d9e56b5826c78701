"""Turns of phrase that make a claim: directions, order in time, verdicts, and what has no place in a text."""

import re

_ANY_CASE = re.IGNORECASE


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b", _ANY_CASE)


UP = _words(
    *("rose", "ris(?:es|ing|en)", r"increas\w+", "higher", r"jump\w+", r"climb\w*", r"spik\w+", r"surg\w+"),
    *("grew", r"doubl\w+", r"widen\w*"),
)
DOWN = _words(
    *("fell", "fall(?:s|ing|en)", r"decreas\w+", "lower", r"dropp\w+", r"declin\w+", r"collaps\w+"),
    *(r"shr[aiu]nk\w*", r"narrow\w+", r"plung\w+"),
)
ORDER = _words(
    *(
        "before",
        "after",
        r"preced\w+",
        "followed by",
        "follows",
        "earlier",
        "later than",
        "leads?",
        "leading",
    ),
    *("lagg?ed", "lags", "ahead of", "prior to", r"subsequent\w*", "first to", "then"),
)
NO_ORDER = _words("after correction", "before and after", "lead is", "best lead", "other than", "rather than")
VERDICT = _words(
    *("false (?:alarm|positive)", "all clear", "safe to ignore", "ignore (?:this|the|it|all)"),
    *("nothing (?:is |was )?wrong", "no (?:incident|anomaly|problem|issue|action) (?:is|was|needed)"),
    *("not an? (?:incident|anomaly|fault|problem)", "severity"),
    "(?:suppress|silence|mute|downgrade|resolve|close|acknowledge) (?:this|the|it|all)",
)
FAULTLESS = _words("no faults?", "there is no")
FOREIGN = re.compile(
    r"https?:|www\.|javascript:|data:\w+/|<\s*/?\s*\w+[^>]*>|!\[|\]\(|(?<!\w)@\w+|<!"
    r"|\b[\w.+-]+@[\w-]+\.\w+|system prompt|my instructions|api[ _]key|password",
    _ANY_CASE,
)
SNAKE = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
FROM_TO = re.compile(r"\bfrom\s+(\S+)[^.,;]{0,12}?\s+to\s+(\S+)", _ANY_CASE)
BETWEEN = re.compile(r"\b(?:between|from)\s+(\d{1,2}:\d\d)\s+(?:and|to)\s+(\d{1,2}:\d\d)", _ANY_CASE)
LOSS = re.compile(
    r"(?:\b(?:loss(?:es)? of|los[et]s?|losing|cost(?:s|ing)?|down|below|short(?:fall)? (?:of|by)"
    r"|(?:fell|dropped|declined|down|lower) by))\s*(?:about|around|some)?\s*$",
    _ANY_CASE,
)
MOVED_BY = re.compile(r"(?:\bby|\bof|fell|rose|dropped|lower|higher|up|down)\s*$", _ANY_CASE)
ABOUT = re.compile(r"(?:about|around|roughly|nearly|almost|over|approximately|some|~)\s*$", _ANY_CASE)
ODD = re.compile(r"\b(?=\w*[A-Z0-9_-])[A-Z][A-Z0-9_-]{4,}\b")
