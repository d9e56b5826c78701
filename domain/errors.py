"""The one tree of errors that this product raises on purpose.

AnalystError
├── InvalidInput            a caller's value is unusable; names the field
│   └── InvalidTimestamp
├── ConfigurationError      a key of the configuration is unusable; names the key
├── NotFound                no object of this kind has this id
├── Conflict                the request contradicts the stored state
├── Forbidden               the caller's role does not allow this
├── Overloaded              come back later; carries the seconds to wait
├── StoreUnavailable        the database does not answer or cannot be written
├── OutsideError            the other side did not do its part; says whether retrying can help
│   ├── SourceError         a source could not be read
│   └── NotifyError         a receiver did not take a message
├── DetectorError           a detector cannot work with its settings
└── ReasonerError           a reasoner gave no usable answer; the next reasoner takes over
"""


class AnalystError(Exception):
    """Base of all errors raised on purpose."""


class InvalidInput(AnalystError):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class InvalidTimestamp(InvalidInput):
    """A time that is not RFC 3339 with an offset, or outside the accepted range."""


class ConfigurationError(AnalystError):
    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


class NotFound(AnalystError):
    def __init__(self, kind: str, identifier: str) -> None:
        super().__init__(f"no {kind} has the id {identifier!r}")
        self.kind = kind
        self.identifier = identifier


class Conflict(AnalystError):
    """The request contradicts what is stored, for example a rule name that is taken."""


class Forbidden(AnalystError):
    """The caller is known, but its role does not allow this."""


class Overloaded(AnalystError):
    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class StoreUnavailable(AnalystError):
    def __init__(self, reason: str, retry_after: float = 5.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class OutsideError(AnalystError):
    """Something outside our world did not do its part.

    Args:
        name: the configured name of the source or receiver.
        reason: what happened, without secrets.
        permanent: true where retrying cannot help (bad credentials, unknown table).
        retry_after: seconds that the other side asked us to wait, if it did.
    """

    def __init__(
        self, name: str, reason: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after


class SourceError(OutsideError):
    """A source could not be read."""


class NotifyError(OutsideError):
    """A receiver did not take a message."""


class DetectorError(AnalystError):
    def __init__(self, detector: str, reason: str) -> None:
        super().__init__(f"{detector}: {reason}")
        self.detector = detector
        self.reason = reason


class ReasonerError(AnalystError):
    """A reasoner gave no usable answer; the message is the diagnosis' `fallback_reason`."""
