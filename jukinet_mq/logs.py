"""Where the events of `telemetry` are written, and how a line of the log looks."""

from __future__ import annotations

import atexit
import logging
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from structlog.typing import Processor

from jukinet_mq.log_writer import FLUSH_WITHIN, LogWriter
from jukinet_mq.telemetry import LINES_DROPPED

_writer: LogWriter | None = None


def configure(*, level: str = "info", as_json: bool = True, background: bool = False) -> None:
    """Write events to standard error: JSON lines in UTF-8, or aligned text for a person.

    In the *background*, as a worker does, nothing waits for the log: lines that cannot be
    written, or not soon enough, are dropped, counted and reported (`LogWriter`).
    """
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    processors = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        renderer,
    ]
    file: Any = _in_background(processors, as_json=as_json) if background else sys.stderr
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=file),
        cache_logger_on_first_use=True,
    )


def flush(within: timedelta = FLUSH_WITHIN) -> None:
    """Wait, but not for ever, until the events so far are written; for the end of a process."""
    if _writer is not None:
        _writer.wait(within)


def _in_background(processors: Sequence[Processor], *, as_json: bool) -> LogWriter:
    global _writer  # noqa: PLW0603  # a process has one standard error
    encoding = "utf-8" if as_json else sys.stderr.encoding
    report = partial(_line_about_dropped, processors)
    _writer = LogWriter(sys.stderr.fileno(), encoding=encoding, report=report)
    atexit.register(flush)
    return _writer


def _line_about_dropped(processors: Sequence[Processor], lines: int) -> str:
    """Return the line that says how many were lost, rendered like every other."""
    rendered: Any = {"event": LINES_DROPPED.name, "lines": lines}
    for process in processors:
        rendered = process(None, LINES_DROPPED.level.value, rendered)
    return f"{rendered}\n"
