"""Where a language model may be: the operator's choice, but never where credentials are handed out."""

from urllib.parse import urlsplit

from collectors.addresses import PublicAddresses, resolve
from domain.errors import ConfigurationError

_ANYWHERE = PublicAddresses(allow_private=True)


def checked_base_url(url: str | None) -> str | None:
    """The address of an endpoint as configured; raises ConfigurationError where it cannot be one.

    Models often run on the same machine or network, so private addresses are fine; link-local and metadata
    addresses are not. A name without an address now is left for later: the call then says so.
    """
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError("llm.base_url", "is no URL") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigurationError("llm.base_url", "must start with http:// or https:// and name a host")
    if parts.username or parts.password:
        raise ConfigurationError("llm.base_url", "must not contain credentials; use the API key's variable")
    try:
        addresses = resolve(host, port or (443 if parts.scheme == "https" else 80))
    except (OSError, UnicodeError):
        return url
    for address in addresses:
        refusal = _ANYWHERE.refusal(address)
        if refusal:
            raise ConfigurationError("llm.base_url", refusal)
    return url
