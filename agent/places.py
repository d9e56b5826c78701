"""Names of components as people say them."""

from collections.abc import Sequence

from agent.vocabulary import class_of

_FORMS = {
    "gateway": "the {} order gateway",
    "feed": "the {} feed",
    "venue": "{}",
    "host": "host {}",
    "database": "database {}",
    "service": "the {} service",
    "strategy": "strategy {}",
    "source": "source {}",
    "pair": "{}",
}


def place(component: str) -> str:
    """`gateway:okx` becomes `the okx order gateway`, `market:okx:BTC` becomes `BTC on okx`."""
    kind, _, rest = component.partition(":")
    known = class_of(component)
    if known == "market" and rest:
        venue, _, symbol = rest.partition(":")
        return f"{symbol} on {venue}" if symbol else venue
    if known == "desk":
        return "the desk"
    if known in _FORMS:
        return _FORMS[known].format(rest) if rest else kind
    return component


def short_name(component: str) -> str:
    """What a component is called beside its class: `gateway:okx` becomes `okx`."""
    if class_of(component) in {"market", "desk", ""}:
        return place(component)
    return component.partition(":")[2] or component


def places(components: Sequence[str]) -> str:
    """Several components in words; markets of one symbol are joined: `BTC on binance and okx`."""
    unique = list(dict.fromkeys(components))
    symbols: dict[str, list[str]] = {}
    rest: list[str] = []
    for component in unique:
        parts = component.split(":")
        if class_of(component) == "market" and len(parts) == 3:
            symbols.setdefault(parts[2], []).append(parts[1])
        else:
            rest.append(place(component))
    joined = [f"{symbol} on {listed(sorted(venues))}" for symbol, venues in sorted(symbols.items())]
    return listed([*joined, *rest])


def listed(names: Sequence[str], limit: int = 4) -> str:
    """`a, b and c`, with the number of those left out."""
    shown = list(names[:limit])
    if len(names) > limit:
        shown = [*shown[: limit - 1], f"{len(names) - limit + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def filled(text: str, where: str, name: str) -> str:
    """A runbook's text with `{place}` and `{name}` filled in; all other braces stay as they are."""
    return text.replace("{place}", where).replace("{name}", name)
