"""When the office is open: calendars, and rules about when it is not."""

from dataclasses import field

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class Calendar:
    """Opening hours (CAL-1…6). `weekly`: days → hours such as "09:00-18:00"; `open` and `closed`: dates, with or
    without hours. `shortened_by`: minutes by which a shortened day ends earlier. `url`: an iCalendar whose events are
    closed times (CAL-13), with `caldav` a collection of them. `switch`: what is dialled to open or close until the next
    boundary (CAL-18). The password stays out of `repr`."""

    id: str
    base: str = "none"
    name: str = ""
    note: str = ""
    weekly: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    open: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    shortened_by: int = 60
    url: str = ""
    caldav: bool = False
    login: str = ""
    password: str = field(default="", repr=False)
    switch: str = ""


@dataclass(frozen=True, slots=True)
class OffHours:
    """A rule about when calls from outside are not taken (CAL-7…12); "" is any date, day or time. `numbers`: the
    external numbers it is for, none for all. The caller hears `sound` or goes on to `target`."""

    id: str
    first_date: str = ""
    last_date: str = ""
    first_day: str = ""
    last_day: str = ""
    first_time: str = ""
    last_time: str = ""
    priority: int = 0
    numbers: tuple[str, ...] = ()
    sound: str = ""
    target: str = ""
    note: str = ""
    disabled: bool = False
