"""Logging: one line an event, as text for people or JSON for collectors, with the call it belongs to.

The caller only puts the event into a queue; a thread formats and writes it. A terminal that is scrolled back or a
full pipe therefore never holds up a call. When the queue is full, events are dropped and the loss is told later.
"""

import logging
import queue
import re
import sys
import threading
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from time import time
from typing import Any, Final, TextIO

import msgspec
import structlog
from structlog.contextvars import bind_contextvars, merge_contextvars

Event = MutableMapping[str, Any]
Renderer = Callable[[Any, str, Event], str]

QUEUE_LIMIT: Final = 10_000  # events; about 10 MB at most
HIDDEN: Final = "***"

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_SECRET_KEY = re.compile(
    r"(?i).*(password|passwd|secret|authorization|authentication|token|private_key)|(c?nonce|response|opaque|ha1)$"
)


class LogWriter:
    """The queue and the thread behind it."""

    def __init__(self, render: Renderer, stream: TextIO, limit: int = QUEUE_LIMIT) -> None:
        self.dropped = 0
        self._render = render
        self._stream = stream
        self._queue: queue.Queue[Event | None] = queue.Queue(limit)
        self._thread = threading.Thread(target=self._run, name="zvon-log", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Queue one event; never waits."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what is queued and end the thread; gives up after a second when the stream does not take it."""
        try:
            self._queue.put(None, timeout=1.0)
        except queue.Full:
            return
        self._thread.join(1.0)

    def _run(self) -> None:
        told = 0
        while (event := self._queue.get()) is not None:
            self._write(event)
            if self.dropped > told and self._queue.empty():
                self._write(_event("warning", "log lines dropped", count=self.dropped - told))
                told = self.dropped

    def _write(self, event: Event) -> None:
        try:
            self._stream.write(self._render(None, "", event) + "\n")
            self._stream.flush()
        except Exception:  # a closed pipe, a full disk, a value that cannot be shown: there is nobody left to tell
            self.dropped += 1


class _QueueLogger:
    """What structlog calls at the end of its chain: every level ends in the queue."""

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put

    def msg(self, **event: Any) -> None:
        self._put(event)

    debug = info = warning = error = critical = exception = msg


class _Forward(logging.Handler):
    """Lines of libraries that use the standard library's logging join the same queue."""

    def __init__(self, put: Callable[[Event], None]) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        event = _event(record.levelname.lower(), record.getMessage(), logger=record.name)
        if record.exc_info:
            event["exc_info"] = record.exc_info
        self._put(event)


def configure(level: str = "info", form: str = "text", stream: TextIO | None = None) -> LogWriter:
    """Set up logging of the process; the caller closes what is returned when everything else has ended."""
    out = stream or sys.stderr
    writer = LogWriter(_renderer(form, out), out)
    structlog.configure(
        processors=[merge_contextvars, structlog.processors.add_log_level, _stamp, hide_secrets, _to_keywords],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _QueueLogger(writer.put),
        cache_logger_on_first_use=False,
    )
    # Libraries tell the same levels, but their "info" is our "debug".
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), handlers=[_Forward(writer.put)], force=True)
    return writer


def enter_call(call_id: str) -> None:
    """Every line that this task logs from now on carries `call`, and so do those of tasks started from it."""
    bind_contextvars(call=call_id)


def hide_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """Values of keys that name a secret become `***`, in nested mappings too."""
    for key, value in event.items():
        if _SECRET_KEY.match(key):
            event[key] = HIDDEN
        elif isinstance(value, dict):
            event[key] = hide_secrets(None, "", dict(value))
    return event


def _stamp(_logger: Any, _method: str, event: Event) -> Event:
    event["at"] = time()
    if event.get("exc_info") is True:  # the writer's thread would not see it
        event["exc_info"] = sys.exc_info()
    return event


def _to_keywords(_logger: Any, _method: str, event: Event) -> tuple[tuple[()], Event]:
    return (), event


def _event(level: str, text: str, **values: Any) -> Event:
    return {"event": text, "level": level, "at": time(), **values}


def _renderer(form: str, stream: TextIO) -> Renderer:
    """Times become text in the writer's thread, like everything else that costs."""
    last: Any
    if form == "json":
        last = structlog.processors.JSONRenderer(lambda event, **_: msgspec.json.encode(event, enc_hook=str).decode())
    else:
        last = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            timestamp_key="at",
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,
        )

    def render(logger: Any, method: str, event: Event) -> str:
        event["at"] = datetime.fromtimestamp(event["at"], UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        if form == "json":
            event = structlog.processors.format_exc_info(logger, method, event)
        return str(last(logger, method, event))

    return render
