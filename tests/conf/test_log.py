"""Logging: what a line holds, what it hides, and that nobody waits for it."""

import io
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context

import pytest
import structlog

from conf import log

Lines = Callable[[], list[str]]


class BlockedStream(io.StringIO):
    """A terminal that is scrolled back: writing waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.let_go.wait(5)
        return super().write(text)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def written(level: str, form: str, work: Callable[[], None]) -> list[str]:
    stream = io.StringIO()
    writer = log.configure(level, form, stream)
    work()
    writer.close()
    return stream.getvalue().splitlines()


def test_a_json_line_holds_time_level_event_and_values() -> None:
    (line,) = written("info", "json", lambda: structlog.get_logger().info("call answered", number="101", to={1}))
    values = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", values.pop("at"))
    assert values == {"event": "call answered", "level": "info", "number": "101", "to": [1]}


def test_a_text_line_is_for_people() -> None:
    (line,) = written("info", "text", lambda: structlog.get_logger().warning("call refused", number="101"))
    assert re.fullmatch(r"\S+Z \[warning +\] call refused +number=101", line)


def test_every_line_of_a_call_names_it() -> None:
    def work() -> None:
        def call() -> None:
            log.enter_call("w0-17")
            structlog.get_logger().info("inside")

        copy_context().run(call)
        structlog.get_logger().info("outside")

    inside, outside = map(json.loads, written("info", "json", work))
    assert inside["call"] == "w0-17"
    assert "call" not in outside


def test_levels_below_the_set_one_are_not_written() -> None:
    def work() -> None:
        logger = structlog.get_logger()
        logger.debug("a")
        logger.info("b")
        logger.warning("c")
        logger.error("d")

    assert [json.loads(line)["event"] for line in written("warning", "json", work)] == ["c", "d"]


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "new_password",
        "Authorization",
        "Proxy-Authorization",
        "nonce",
        "cnonce",
        "response",
        "secret",
        "ha1",
    ],
)
def test_secrets_are_hidden_in_nested_values_too(key: str) -> None:
    def work() -> None:
        structlog.get_logger().info("x", **{key: "hush"}, header={key: "hush", "To": "101"})

    (line,) = written("info", "json", work)
    assert "hush" not in line
    assert json.loads(line)["header"] == {key: "***", "To": "101"}


@pytest.mark.parametrize("key", ["response_code", "number", "call", "announcement"])
def test_other_values_are_shown(key: str) -> None:
    (line,) = written("info", "json", lambda: structlog.get_logger().info("x", **{key: "shown"}))
    assert json.loads(line)[key] == "shown"


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_is_told_with_its_traceback(form: str) -> None:
    def work() -> None:
        try:
            raise LookupError("nobody")
        except LookupError:
            structlog.get_logger().exception("a bug")

    told = "\n".join(written("info", form, work))
    assert "a bug" in told
    assert "LookupError: nobody" in told


def test_lines_of_libraries_join() -> None:
    (line,) = written("info", "json", lambda: logging.getLogger("asyncio").warning("slow %s", "callback"))
    values = json.loads(line)
    assert (values["event"], values["level"], values["logger"]) == ("slow callback", "warning", "asyncio")


def test_a_stream_that_blocks_holds_up_nobody_and_the_loss_is_told() -> None:
    stream = BlockedStream()
    writer = log.LogWriter(lambda _logger, _method, event: json.dumps(event), stream, limit=3)
    for number in range(20):
        writer.put({"event": str(number)})
    stream.let_go.set()
    writer.close()
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events[:-1]] == [str(number) for number in range(len(events) - 1)]
    assert events[-1]["event"] == "log lines dropped"
    assert events[-1]["count"] + len(events) - 1 == 20


def test_a_closed_stream_ends_nothing() -> None:
    stream = io.StringIO()
    writer = log.configure("info", "text", stream)
    stream.close()
    structlog.get_logger().info("nobody hears this")
    writer.close()
    assert writer.dropped == 1
