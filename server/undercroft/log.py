"""structlog to stderr: stdout belongs to the protocol.

Values are redacted by key, whatever a caller binds: a name that speaks of a
secret never has its value written.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, Literal

import structlog
from pydantic_core import to_json

_SECRET = re.compile(
    r"password|passwd|secret|token|dsn|database_url|authorization|api_?key", re.IGNORECASE
)


@lru_cache(maxsize=1024)
def _names_secret(key: str) -> bool:
    return _SECRET.search(key) is not None


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of keys that name a secret."""
    for key in event:
        if _names_secret(key):
            event[key] = "[redacted]"
    return event


def configure(level: str = "info", style: Literal["auto", "json", "pretty"] = "auto") -> None:
    """Set up logging for this process; called once, by the entry point."""
    pretty = style == "pretty" or (style == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            *([] if pretty else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    _quiet_libraries(max(numeric, logging.WARNING))


def _to_json(event: Any, **_: Any) -> str:
    return to_json(event, fallback=str).decode()


class _Forward(logging.Handler):
    """Hands the records of libraries that use `logging` to structlog, without their arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(record.name)
        failure = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        extra = {"error": failure} if failure else {}
        logger.log(record.levelno, str(record.msg).partition("\n")[0], **extra)


def _quiet_libraries(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Forward()]
    root.setLevel(level)
