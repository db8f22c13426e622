"""Structured logs of the control process: one JSON object a line, on standard error."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(level: str) -> None:
    """`level` is debug, info, warning or error. Warnings of libraries come as lines of the same kind."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_LibraryLines()], force=True)


class _LibraryLines(logging.Handler):
    """What a library logs, cut short, and of an exception only its kind and place: a traceback is no line."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        place = error.__traceback__ if error else None
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        structlog.get_logger().log(
            record.levelno,
            "library",
            logger=record.name,
            cause=record.getMessage().split("\n", 1)[0][:300],
            error=type(error).__name__ if error else None,
            at=f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else None,
        )
