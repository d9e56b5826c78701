"""Text that came from outside, made harmless for a message: no control characters, links or mentions."""

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]+")
# Marks that reorder or hide text: bidirectional controls, zero-width characters, tag characters.
_INVISIBLE = re.compile(r"[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\U000e0000-\U000e007f]")
_SCHEME = re.compile(r"\b([a-z][a-z0-9+.\-]{0,20}):(?=//)|\b(mailto|tel|data|javascript):", re.IGNORECASE)
# Clients turn bare names such as evil.example/x into links as well.
_DOMAIN = re.compile(r"(?<=[a-z0-9\-])\.(?=[a-z]{2,24}(?![\w.(]))", re.IGNORECASE)
_WWW = re.compile(r"\bwww\.", re.IGNORECASE)
_MENTION = re.compile(r"@(?=\w)")
# Look-alikes for the characters that format in Slack; underscores stay, names of metrics are full of them.
_BRACKETS = str.maketrans({"<": "\u2039", ">": "\u203a"})
_FORMATTING = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "'"})


def clean(text: str, longest: int) -> str:
    """One line of at most `longest` characters without control, invisible or reordering characters."""
    return cut(_INVISIBLE.sub("", _CONTROL.sub(" ", text)).strip(), longest)


def inert(text: str, longest: int) -> str:
    """One line in which no client finds a link, an address or a mention."""
    return cut(_DOMAIN.sub("[.]", _defang(clean(text, longest))), longest)


def heading(text: str, longest: int) -> str:
    """Outside text for Slack's plain headings, where escapes would be shown as they are."""
    return inert(text, longest).translate(_BRACKETS)


def mrkdwn(text: str, longest: int) -> str:
    """Outside text for Slack's markup: inert, escaped, and without characters that format."""
    return cut_escaped(escape(inert(text, longest).translate(_FORMATTING)), longest)


def code(text: str, longest: int) -> str:
    """A name, such as that of a series, in Slack's code style."""
    body = inert_name(text, longest).translate(_FORMATTING)
    return f"`{cut_escaped(escape(body), longest - 2)}`"


def inert_name(text: str, longest: int) -> str:
    """As `inert`, but dots stay as they are: names of metrics look like those of hosts."""
    return cut(_defang(clean(text, longest)), longest)


def _defang(line: str) -> str:
    line = _SCHEME.sub(lambda match: f"{match[1] or match[2]}[:]", line)
    return _MENTION.sub("(at)", _WWW.sub("www[.]", line))


def escape(text: str) -> str:
    """`& < >` as Slack wants them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, longest: int) -> str:
    """At most `longest` characters; what was cut ends in an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def cut_escaped(text: str, longest: int) -> str:
    """Cut escaped text without leaving half an entity behind."""
    if len(text) <= longest:
        return text
    kept = text[: longest - 1]
    start = kept.rfind("&")
    if start >= 0 and ";" not in kept[start:]:
        kept = kept[:start]
    return f"{kept.rstrip()}…"
