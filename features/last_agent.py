"""Whom a caller talked to last (INB-7): the newest conversation of the history with that number."""

import asyncio

from features._refusal import is_away
from pbx.api import AppContext, CdrRow, ExternalNumber, Party

SAME_DIGITS = 10  # AMB-16
MOST_ROWS = 100
PATIENCE_S = 1.0  # a caller does not wait for a database
DAY_S = 86_400.0


async def last_agent(ctx: AppContext, caller: Party, number: ExternalNumber) -> str:
    """The terminal or mobile of the employee, "" for none."""
    client = caller.shown_number
    if caller.is_private or not client.lstrip("+").isdecimal():
        return ""
    since_at = ctx.wall() - number.last_agent_days * DAY_S
    try:
        async with asyncio.timeout(PATIENCE_S):
            rows = await ctx.talks_with(client, since_at, MOST_ROWS)
    except TimeoutError:
        return ""
    found = (_employee(ctx, row, client, inbound_only=number.last_agent_inbound) for row in rows)
    return next((each for each in found if each), "")


def is_owner_away(ctx: AppContext, mobile: str, moment: float) -> bool:
    """Whether the employee with that mobile takes no calls at the own terminals now (AMB-16)."""
    owners = {user.id for user in ctx.office.users if user.mobile and _is_same(user.mobile, mobile)}
    return any(is_away(ctx, each, moment) for each in ctx.office.terminals if each.owner in owners)


def _employee(ctx: AppContext, row: CdrRow, client: str, *, inbound_only: bool) -> str:
    """Whoever of the office talked in that row."""
    if _is_same(row.from_number, client):
        return row.to_number if _is_employee(ctx, row.to_number) else ""
    is_outbound = not inbound_only and _is_same(row.to_number, client)
    return row.from_number if is_outbound and _is_employee(ctx, row.from_number) else ""


def _is_employee(ctx: AppContext, number: str) -> bool:
    mobiles = (user.mobile for user in ctx.office.users if user.mobile)
    return ctx.terminal(number) is not None or any(_is_same(mobile, number) for mobile in mobiles)


def _is_same(one: str, other: str) -> bool:
    one, other = one.lstrip("+"), other.lstrip("+")
    return bool(one) and one[-SAME_DIGITS:] == other[-SAME_DIGITS:]
