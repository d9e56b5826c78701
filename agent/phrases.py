"""Turns of phrase that make a claim: directions, order in time, verdicts, and what has no place in a text."""

import re

_ANY_CASE = re.IGNORECASE


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b", _ANY_CASE)


UP = _words(
    *("rose", "ris(?:e|es|ing|en)", r"increas\w+", "higher", r"jump\w+", r"climb\w*", r"spik\w+", r"surg\w+"),
    *("grew", r"doubl\w+", r"widen\w*"),
)
DOWN = _words(
    *("fell", "fall(?:s|ing|en)?", r"decreas\w+", "lower", r"dropp\w+", r"declin\w+", r"collaps\w+"),
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
    *("disregard", "harmless", "benign", r"safely", "no (?:cause|reason) (?:for|to)", "nothing to worry"),
)
FAULTLESS = _words("no faults?", "there is no")
FOREIGN = re.compile(
    r"https?:|www\.|javascript:|data:\w+/|<\s*/?\s*\w+[^>]*>|!\[|\]\(|(?<!\w)@\w+|<!"
    r"|\b[\w.+-]+@[\w-]+\.\w+|system prompt|my instructions|api[ _]key|password"
    r"|\bas an? (?:\w+ )?(?:ai|assistant|language model)\b",
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
# What is neither a sentence nor a name: addresses, markup, code, queries, paths, templates, things to call.
NO_PROSE = re.compile(
    r"\w\.(?:com|net|org|io|example|test|dev|app|xyz|ru|cn|info|biz|ai|co|me|gg|link|click|onion)\b"
    r"|\[\.\]|hxxp|(?<![\w{])#\w+|^\s*#|`|\*\*|__\w|~~|\|.*\||&(?:\w+|#\d+);|\\[nrtux]"
    r"|\b(?:drop|delete|insert|update|select|truncate|alter)\s+(?:table|from|into|\*|\w+\s+(?:set|from)\b)|;\s*--"
    r"|\.\./|(?<![\w])/(?:etc|usr|var|home|root|proc|tmp|bin|dev)\b|\b[A-Za-z]:\\"
    r"|\{\{|\}\}|\{%|\$\{|<%|\b0[xX][0-9A-Fa-f]+\b|\b\d+\s?/\s?\d+\b|\b(?:bc1|0x)[a-z0-9]{5,}",
    _ANY_CASE,
)
_SMALL = "two|three|four|five|six|seven|eight|nine|ten"
_BIG = (
    "eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    "|dozens?|hundreds?|thousands?|millions?|billions?|trillions?"
)
_MEASURES = (
    "percent|per cent|times|fold|ms|milliseconds?|microseconds?|seconds?|minutes?|hours?|days?"
    "|bps|basis points?|dollars?|usd|lines?|orders?|samples?|sigma"
)
# A number in words is a number that nobody checks; how many things are named may be told in words.
NUMBER_WORDS = re.compile(
    rf"\b(?:{_BIG})\b|\b(?:one|{_SMALL})[- ](?:{_MEASURES})\b"
    rf"|\b(?:one|{_SMALL}|{_BIG}|many|several)[- ]?fold\b"
    r"|\b(?:doubl|tripl|quadrupl|halv)(?:e|ed|es|ing)\b|\btwice\b|\bthrice\b|\borders? of magnitude\b"
    r"|\bhalf (?:of|the|a|an|as)\b|\ba (?:third|quarter|fifth|tenth) (?:of|as)\b"
    r"|\bfactor of (?:ten|two|three)\b",
    _ANY_CASE,
)
TIME_WORDS = re.compile(
    r"\b\d{1,2}\s?[ap]\.?m\b|\b\d{1,2}h\d{2}\b|\bo'clock\b|\b(?:noon|midnight|midday)\b"
    r"|\b(?:yesterday|tomorrow|tonight|overnight)\b"
    r"|\b(?:last|this) (?:night|week|month|morning|evening|afternoon)\b"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b"
    r"|\b(?:january|february|april|june|july|august|september|october|november|december)\b"
    r"|\b(?:march|may) \d|\b\d{1,2}/\d{1,2}/\d{2,4}\b",
    _ANY_CASE,
)
# Demands of a model, which may come from a text that it read.
DEMAND = _words(
    r"^\W*(?:please |then |now |just |immediately |so )*(?:restart|reboot|stop|buy|sell|send|transfer|wire"
    r"|withdraw|deposit|liquidate|unwind|kill|disable|enable|delete|call|e-?mail|contact|click|visit|open"
    r"|download|run|execute|install|cancel|route|switch|roll back|revert|pay|trust|ask)"
)
NEGATED = re.compile(
    r"(?:\bnot|\bnever|n't|\bno longer|\bhardly|\bwithout|\bneither|\bnor)\s+(?:\w+\s+)?$", _ANY_CASE
)
WORLD = _words(
    *("kraken", "coinbase", "bitfinex", "deribit", "bitmex", "huobi", "htx", "kucoin", "gemini", "bitstamp"),
    *("ftx", r"gate\.io", "mexc", "bitget", "hyperliquid", "dydx", "uniswap", "nasdaq", "nyse", "cme", "lse"),
    *(
        "binance",
        "bybit",
        "okx",
        "ethereum",
        "bitcoin",
        "solana",
        "doge",
        "dogecoin",
        "xrp",
        "ada",
        "bnb",
        "avax",
    ),
)
