"""The filters of the history as a request has them (CDR-8…13, CDR-21), and those that people keep."""

import time
from dataclasses import replace
from typing import Annotated, Literal

import msgspec
from fastapi import Depends, Query

from pbx.control.history import NumbersOf
from pbx.control.messages import ControlError
from pbx.control.search import searched
from storage.ports import HistoryQuery
from storage.records import ConversationKind
from web.answers import refused
from web.door import Caller, TheCore
from web.periods import Period, bounds
from web.times import Moment, seconds_of

DAY_S = 86_400.0
LONGEST_S, USUAL_S = 365 * DAY_S, 30 * DAY_S
Number = Annotated[str, Query(max_length=40)]
Text = Annotated[str, Query(max_length=100)]
Names = Annotated[tuple[str, ...], Query(max_length=50)]


async def wanted(
    who: Caller,
    core: TheCore,
    number: Number = "",
    number2: Number = "",
    linkedid: Annotated[str, Query(max_length=64)] = "",
    start: Annotated[Moment, Query(alias="from")] = "",
    end: Annotated[Moment, Query(alias="to")] = "",
    period: Annotated[Period | Literal[""], Query(description="By the clock of the office, instead of both.")] = "",
    search: Annotated[str, Query(max_length=200, description="As it is typed: numbers, src:, dst:, did:, names.")] = "",
    source: Number = "",
    target: Number = "",
    line: Number = "",
    name: Text = "",
    employee: Names = (),
    group: Names = (),
    location: Names = (),
    kind: ConversationKind | Literal[""] = "",
    provider: Text = "",
    disposition: Literal["", "ANSWERED", "NOANSWER", "BUSY", "FAILED"] = "",
    min_talk: Annotated[float, Query(ge=0, le=1e6, description="Seconds.")] = 0.0,
    all: Annotated[bool, Query(description="With two numbers: calls in vain as well.")] = False,
) -> HistoryQuery:
    """The last 30 days where no filter says anything, 365 days at most."""
    if period and (start or end):
        raise refused(422, "a period is given by its name or by from and to, not both", "period")
    from_at, to_at = seconds_of(start, "from"), seconds_of(end, "to")
    if period:
        from_at, to_at = bounds(period, time.time(), (await core.snapshot()).office.timezone)
    query = HistoryQuery(number, number2, linkedid, from_at, to_at)
    query = replace(query, source=source, target=target, line=line, name=name, kind=kind, provider=provider)
    query = replace(query, disposition=disposition, min_talk_s=min_talk, with_unanswered=all)
    try:
        query = searched(search, query)
        asked = [NumbersOf(people=employee)] if employee else []
        asked += [NumbersOf(groups=group)] if group else []
        asked += [NumbersOf(places=location)] if location else []
        sets = [await core.ask(each, list[str]) for each in asked]
    except ControlError as error:
        raise refused(422, str(error)) from None
    if who.numbers is not None:
        sets.append(list(who.numbers))
    is_asked = bool(asked) or query != HistoryQuery()
    return _in_period(replace(query, among=tuple(map(tuple, sets))), is_asked=is_asked)


Wanted = Annotated[HistoryQuery, Depends(wanted)]


def _in_period(query: HistoryQuery, *, is_asked: bool) -> HistoryQuery:
    now = time.time()
    if not is_asked:
        return replace(query, from_at=now - USUAL_S)
    if query.from_at is None or query.linkedid:
        return query
    end_at = now if query.to_at is None else query.to_at
    if end_at - query.from_at > LONGEST_S:
        raise refused(422, "a period is 365 days at most", "from")
    return query


class KeptFilter(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of `/history` that somebody has given a name (CDR-13)."""

    number: str = ""
    number2: str = ""
    search: str = ""
    source: str = ""
    target: str = ""
    line: str = ""
    name: str = ""
    employee: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    location: tuple[str, ...] = ()
    kind: ConversationKind | Literal[""] = ""
    provider: str = ""
    disposition: Literal["", "ANSWERED", "NOANSWER", "BUSY", "FAILED"] = ""
    min_talk: float = 0.0
    all: bool = False
