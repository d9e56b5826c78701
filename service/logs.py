"""Structured logs on stderr: readable on a terminal, one JSON object a line elsewhere, without secrets."""

import logging
import sys

import structlog

from service.redaction import Redactor


class _Redacted(logging.Formatter):
    """Lines of libraries, their exceptions included, without secrets."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


def configure_logs(redact: Redactor | None = None, level: int = logging.INFO) -> None:
    """Send every log line of this process to stderr, once; libraries only from WARNING on."""
    redact = redact or Redactor()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacted(redact))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # A tick that finds a cycle still running is normal: the slot decides, not the tick.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact.processor,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
