"""What else has a number in the office: groups, queues, menus, rooms, applications; and the mailboxes behind numbers.

Times are seconds. Targets are numbers of the office or outside, or service numbers (`hangup`, `busy`, `voicemail`,
`did2user`); "" is none. Names of sounds are their ids.
"""

import re
from dataclasses import field

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Terminals that one number reaches (GRP-1). `timeout_target`: where a call goes that nobody answered."""

    number: str
    name: str = ""
    note: str = ""
    members: tuple[str, ...] = ()
    strategy: str = "ringall"
    ring_time: int = 30
    ignore_forwarding: bool = False
    timeout_target: str = ""


@dataclass(frozen=True, slots=True)
class Callback:
    """Callers who are called back (QUE-30): they press `key`, or with `missed` everybody who gave up."""

    key: str = ""
    missed: bool = False
    attempts: int = 5
    delay: int = 30
    min_talk: int = 5
    look_back: int = 300


@dataclass(frozen=True, slots=True)
class Queue:
    """Callers wait for one of the agents (QUE-*). `max_wait` 0: without limit; `reject_pause` 0: as `ring_time`;
    `penalties`: agent → how late it is rung, 0 first; `skills`: what an agent's person must know."""

    number: str
    name: str = ""
    note: str = ""
    short_name: str = ""
    separator: str = ":"
    agents: tuple[str, ...] = ()
    dynamic_agents: bool = False
    penalties: dict[str, int] = field(default_factory=dict, hash=False)
    skills: tuple[str, ...] = ()
    strategy: str = "ringall"
    ring_time: int = 15
    retry: int = 1
    reject_pause: int = 0
    wrap_up: int = 15
    ring_in_use: bool = False
    caller_hears: str = "ringing"
    music: str = ""
    announce_position: bool = False
    announce_wait: bool = False
    announcement: str = ""
    announce_every: int = 0
    max_wait: int = 300
    timeout_target: str = ""
    empty_target: str = ""
    max_attempts: int = 3
    attempts_target: str = ""
    max_announcements: int = 3
    announcements_target: str = ""
    exit_keys: dict[str, str] = field(default_factory=dict, hash=False)
    callback: Callback = Callback()


@dataclass(frozen=True, slots=True)
class Ivr:
    """A voice menu (IVR-*). `keys`: digits → target; `phrases`: the same digits → what may be said instead."""

    number: str
    default: str
    name: str = ""
    note: str = ""
    greeting: str = ""
    timeout: int = 7
    digit_timeout: int = 2
    attempts: int = 3
    allow_internal: bool = False
    keys: dict[str, str] = field(default_factory=dict, hash=False)
    phrases: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Conference:
    """A room (CNF-*). `max_participants` 0: any number. When somebody of the office comes in first, `outside` is
    dialled, where `outside_digits` are pressed, and the numbers of `call_out` are rung (CNF-9). `broadcast`: all but
    the first come in muted. The PIN stays out of `repr`."""

    number: str
    name: str = ""
    note: str = ""
    pin: str = field(default="", repr=False)
    record: bool = True
    max_participants: int = 0
    outside: str = ""
    outside_digits: str = ""
    call_out: tuple[str, ...] = ()
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Paging:
    """A number that speaks to the loudspeakers of terminals (FEAT-27)."""

    number: str
    name: str = ""
    note: str = ""
    members: tuple[str, ...] = ()


def fits(number: str, pattern: str) -> bool:
    """Whether a number fits a pattern in which X is any digit."""
    return re.fullmatch(re.escape(pattern).replace("X", "[0-9]"), number) is not None


@dataclass(frozen=True, slots=True)
class Application:
    """A call script behind a number or a pattern (FEAT-36; X is any digit); `file` is an absolute path."""

    number: str
    file: str
    name: str = ""
    note: str = ""

    def fits(self, number: str) -> bool:
        """Whether it is meant by what was dialled."""
        return fits(number, self.number)


@dataclass(frozen=True, slots=True)
class ShortNumber:
    """A number of the office that dials the number `to` outside and presses `digits` for the caller when somebody has
    answered there (FEAT-31); `,` among them is a pause."""

    number: str
    to: str
    digits: str = ""
    name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class VoicemailBox:
    """Messages for a number (VM-7), or for all numbers without a box of their own (`voicemail`). `email` "": that of
    the owner; `delete_mailed`: nothing stays in the box after the e-mail (VM-3). The PIN stays out of `repr`."""

    number: str
    pin: str = field(default="", repr=False)
    greeting: str = ""
    email: str = ""
    delete_mailed: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound file of the office (SND-1), by an absolute path; `music` is heard by who is held (SND-5)."""

    id: str
    file: str
    music: bool = False
    name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class LampList:
    """Numbers that a phone watches by one subscription, to the address `id` (RFC 4662)."""

    id: str
    members: tuple[str, ...] = ()
