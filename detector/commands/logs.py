"""Logging of the sidecar: one line an event, as text for people or as JSON for machines."""

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from detector.commands.repeats import Repeats

FIRST = ("timestamp", "level", "event", "detector")
"""Keys that begin every line; the others follow in the order in which they were given."""


class _Lines(logging.StreamHandler[TextIO]):
    """What libraries log; one that repeats ends here, for the library that logs it knows nothing of `DropEvent`."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(structlog.DropEvent):
            super().emit(record)


def configure(log_format: str, level: str) -> None:
    """Write events to standard error in the given format (`text` or `json`), from the given level on.

    What libraries and Python itself have to say comes out in the same format. Warnings and errors that repeat are
    summed up.
    """
    ours: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        Repeats(),
        structlog.processors.add_log_level,
        _add_timestamp,
        structlog.processors.format_exc_info,
    ]
    last = _json() if log_format == "json" else _text()
    structlog.configure(
        processors=[*ours, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = _Lines(sys.stderr)
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[remove_meta, *last],
            foreign_pre_chain=[*ours[:-1], structlog.stdlib.add_logger_name, ours[-1]],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("opensearch").setLevel(logging.ERROR)
    # That a poll which still runs is not started a second time is as it should be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def _json() -> list[Processor]:
    return [_in_order, structlog.processors.JSONRenderer()]


def _text() -> list[Processor]:
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), sort_keys=False, pad_level=False, pad_event_to=0
    )
    return [_in_order, _without_nothing, console]


def _add_timestamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    event["timestamp"] = now.replace("+00:00", "Z")
    return event


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: event[key] for key in FIRST if key in event} | dict(event)


def _without_nothing(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave out what is None: a person reads what is there, a machine wants the same keys in every line."""
    return {key: value for key, value in event.items() if value is not None}
