"""The control loop of a media worker: one socket, one engine, no event loop. It ends when the socket closes."""

import logging
import math
import select
import socket
import time
from collections.abc import Callable

from media.api import MediaEvent, Refused, Reply
from media.codec.catalogue import convertible
from media.engine.control import Control
from media.worker import protocol

log = logging.getLogger(__name__)

EVENTS_A_FRAME = 64


class Disconnected(Exception):
    """Call control has closed the socket."""


def start(link: socket.socket) -> Control:
    """Greet and make the engine; raises `Disconnected` when that is impossible."""
    kind, version, body = protocol.parse_frame(_receive(link))
    if kind != protocol.HELLO or version != protocol.VERSION:
        problem = f"This media worker speaks version {protocol.VERSION}, call control version {version}."
        return _give_up(link, problem)
    try:
        control = Control(protocol.read_hello(body))
    except OSError as error:
        return _give_up(link, f"The media worker cannot start: {error.strerror}.")
    _send(link, protocol.welcome(codecs=convertible()))
    return control


def serve(link: socket.socket, control: Control) -> None:
    """Answer until the socket closes."""
    poll = select.poll()
    handlers: dict[int, Callable[[], None]] = {
        link.fileno(): lambda: _answer(link, control),
        control.fileno(): lambda: _send_events(link, control.events()),
    }
    for fd in handlers:
        poll.register(fd, select.POLLIN)
    try:
        while True:
            for fd, _ in poll.poll(_patience_ms(control)):
                handlers[fd]()
            if control.deadline is not None:
                control.expire()
    except Disconnected:
        return


def _patience_ms(control: Control) -> int | None:
    """How long to wait for something to happen."""
    deadline = control.deadline
    return None if deadline is None else max(0, math.ceil((deadline - time.monotonic()) * 1000))


def _give_up(link: socket.socket, problem: str) -> Control:
    _send(link, protocol.welcome(problem))
    raise Disconnected(problem)


def _answer(link: socket.socket, control: Control) -> None:
    kind, number, body = protocol.parse_frame(_receive(link))
    if kind == protocol.DESCRIBE:
        _send(link, protocol.report_frame(number, control.report()))
        return
    commands = protocol.read_commands(body)
    replies = control.apply(commands)
    if number:
        _send(link, protocol.reply_frame(number, replies))
    else:
        _log_refusals(replies)


def _log_refusals(replies: list[Reply]) -> None:
    for reply in replies:
        if isinstance(reply, Refused):
            log.warning("media command refused: %s", reply.why)


def _send_events(link: socket.socket, events: list[MediaEvent]) -> None:
    for start_at in range(0, len(events), EVENTS_A_FRAME):
        for frame in protocol.event_frames(events[start_at : start_at + EVENTS_A_FRAME]):
            _send(link, frame)


def _receive(link: socket.socket) -> bytes:
    try:
        data = link.recv(protocol.MAX_FRAME)
    except OSError as error:
        raise Disconnected from error
    if not data:
        raise Disconnected
    return data


def _send(link: socket.socket, frame: bytes) -> None:
    try:
        link.send(frame)
    except OSError as error:
        raise Disconnected from error
