"""From the clock on the wall to moments and back, through changes of the clock."""

from datetime import date, datetime, timedelta, tzinfo

from conf.calendar_values import MINUTES_OF_DAY


def local(at: float, zone: tzinfo) -> tuple[date, int]:
    """What calendar and clock on the wall show: the date and the minute of the day."""
    shown = datetime.fromtimestamp(at, zone)
    return shown.date(), shown.hour * 60 + shown.minute


def moments(day: date, minutes: set[int], zone: tzinfo) -> list[float]:
    """The moments at which something may change that is said in minutes of that date: each time that the clock shows
    one of them, and each change of the clock itself."""
    midnight = datetime(day.year, day.month, day.day)
    found = {_moment(midnight + timedelta(minutes=each), zone, fold) for each in minutes for fold in (0, 1)}
    start, end = (_moment(midnight + timedelta(minutes=each), zone, 0) for each in (0, MINUTES_OF_DAY))
    return sorted(found | _changes(start, end, zone))


def _moment(shown: datetime, zone: tzinfo, fold: int) -> float:
    return shown.replace(tzinfo=zone, fold=fold).timestamp()


def _changes(start: float, end: float, zone: tzinfo) -> set[float]:
    """The second at which the clock is changed between two moments, if it is."""
    offset = _offset(start, zone)
    if _offset(end, zone) == offset:
        return set()
    before, after = int(start), int(end)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(middle, zone) == offset else (before, middle)
    return {float(after)}


def _offset(at: float, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(at, zone).utcoffset()
