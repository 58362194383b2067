"""The hours of one calendar on each date: dated exception before the day of the production calendar before the week
(CAL-6). Pure; dates and minutes are those of the office's clock on the wall."""

from datetime import date, timedelta

from conf.calendar_values import DAYS, MINUTES_OF_DAY, Dates, Span, dates_of, days_of, span_of
from frozen import dataclass
from pbx.calendars.production import DayKind, Production
from pbx.said import Said, say
from storage.records import Calendar

RU_WEEK: dict[int, tuple[Span, ...]] = {
    day: (Span(540, 1080),) for day in range(5)
}  # where a calendar on the production calendar names no hours
WHOLE_DAY = (Span(0, MINUTES_OF_DAY),)


@dataclass(frozen=True, slots=True)
class Day:
    """When a calendar is open on a date, and what says so."""

    spans: tuple[Span, ...]
    why: Said


class OpeningHours:
    """One calendar, read. `production` is asked only where the calendar is based on it."""

    def __init__(self, calendar: Calendar, production: Production) -> None:
        self.calendar, self._production = calendar, production
        self._week = _week(calendar)
        self._open = tuple((text, dates_of(text)) for text in calendar.open)
        self._closed = tuple((text, dates_of(text)) for text in calendar.closed)

    def day(self, day: date) -> Day:
        """The hours that begin on a date."""
        for is_yearly in (False, True):
            found = self._exception(day, is_yearly)
            if found is not None:
                return found
        return self._usual(day)

    def at(self, day: date, minute: int) -> tuple[bool, Said]:
        """Whether it is open at a minute of a date, and what says so; hours of the day before may go on (AMB-33)."""
        before = self.day(day - timedelta(days=1))
        running = _running(before.spans, minute + MINUTES_OF_DAY)
        if running is not None:
            return True, say("{why}, {span} of the day before", why=before.why, span=running)
        today = self.day(day)
        running = _running(today.spans, minute)
        return running is not None, today.why if running is None else say("{why}, {span}", why=today.why, span=running)

    def _exception(self, day: date, is_yearly: bool) -> Day | None:
        """What stands in the document for the date: hours that are closed are cut out of the others."""
        opened = _matching(self._open, day, is_yearly)
        closed = _matching(self._closed, day, is_yearly)
        if not opened and not closed:
            return None
        dates_named = ", ".join(text for text, _ in closed or opened)
        texts = say("closed {dates}" if closed else "open {dates}", dates=dates_named)
        if any(not dates.spans for _, dates in closed):
            return Day((), texts)
        spans = self._opened(day, [dates for _, dates in opened]) if opened else self._usual(day).spans
        for _, dates in closed:
            spans = _without(spans, dates.spans)
        return Day(spans, texts)

    def _opened(self, day: date, opened: list[Dates]) -> tuple[Span, ...]:
        named = tuple(sorted(span for dates in opened for span in dates.spans))
        return named or self._working(day)

    def _usual(self, day: date) -> Day:
        kind = self._production.kind(day) if self.calendar.base == "ru" else DayKind.ORDINARY
        weekly = Day(self._week.get(day.weekday(), ()), say("hours of {day}", day=say(DAYS[day.weekday()])))
        if kind is DayKind.ORDINARY:
            return weekly
        if kind is DayKind.OFF:
            return Day((), self._why_off(day))
        if kind is DayKind.WORKING:
            return Day(self._working(day), say("working day by the production calendar"))
        return Day(
            _earlier(self._working(day), self.calendar.shortened_by), say("shortened by the production calendar")
        )

    def _working(self, day: date) -> tuple[Span, ...]:
        """CAL-3: a weekend that is worked has the hours of the day that is off instead, else of a day of the week."""
        if day.weekday() < 5:
            return self._week.get(day.weekday(), ())
        year = self._production.year(day.year) if self.calendar.base == "ru" else None
        instead = year.weekday_of(day) if year is not None else None
        order = [*range(5)] if instead is None else [instead, *range(5)]
        return next((self._week[each] for each in order if self._week.get(each)), WHOLE_DAY)

    def _why_off(self, day: date) -> Said:
        moved = self._production.year(day.year).moved_from(day)
        off = say("day off by the production calendar")
        return off if moved is None else say("{why}, moved from {date}", why=off, date=moved)


def _week(calendar: Calendar) -> dict[int, tuple[Span, ...]]:
    """A day that is named alone stands before one among several."""
    found: dict[int, tuple[Span, ...]] = {}
    for text, hours in sorted(calendar.weekly.items(), key=lambda each: -len(days_of(each[0]))):
        found |= dict.fromkeys(days_of(text), tuple(sorted(map(span_of, hours))))
    if found:
        return found
    if calendar.base == "ru":
        return RU_WEEK
    return dict.fromkeys(range(7), WHOLE_DAY) if calendar.url else {}


def _matching(exceptions: tuple[tuple[str, Dates], ...], day: date, is_yearly: bool) -> list[tuple[str, Dates]]:
    return [(text, dates) for text, dates in exceptions if dates.is_yearly is is_yearly and dates.has(day)]


def _running(spans: tuple[Span, ...], minute: int) -> Span | None:
    return next((span for span in spans if span.start <= minute < span.end), None)


def _earlier(spans: tuple[Span, ...], minutes: int) -> tuple[Span, ...]:
    """The same hours with an earlier end of the day (CAL-5)."""
    end = max((span.end for span in spans), default=0) - minutes
    return tuple(Span(span.start, min(span.end, end)) for span in spans if span.start < end)


def _without(spans: tuple[Span, ...], closed: tuple[Span, ...]) -> tuple[Span, ...]:
    for gap in closed:
        pieces = [(span.start, min(span.end, gap.start)) for span in spans]
        pieces += [(max(span.start, gap.end), span.end) for span in spans]
        spans = tuple(sorted(Span(start, end) for start, end in pieces if start < end))
    return spans
