"""What the web process is told of who may reach it: all at first, then each change as it comes.

It keeps what it was told, so a request costs no question. Who asks with the last thing it knows gets what has changed
since; an answer that is not there yet is waited for.
"""

import asyncio
import secrets
from collections import OrderedDict

from pbx.border import Border
from pbx.control.clerk import BorderView, WatchBorder

MOST = 10_000  # changes by address that are remembered for who asks late


class WebBorder:
    """An outpost of the bans of the web. `run` names this life of the rules, in which changes are numbered."""

    def __init__(self, border: Border, *, most: int = MOST) -> None:
        self._border, self._most = border, most
        self._run, self._seq, self._lost = secrets.token_hex(8), 0, 0
        self._changed: OrderedDict[str, int] = OrderedDict()
        self._news = asyncio.Event()
        border.web_bans.outposts.append(self)
        border.on_rules.append(self._begin_anew)

    async def view(self, request: WatchBorder) -> BorderView:
        """What is new for who asks, as soon as there is something or `wait_s` are over."""
        self._border.dropped += request.refused
        if (request.run, request.seq) == (self._run, self._seq) and request.wait_s > 0:
            try:
                async with asyncio.timeout(request.wait_s):
                    await self._news.wait()
            except TimeoutError:
                pass
        bans, rules = self._border.web_bans, self._border.rules.all
        is_whole = request.run != self._run or request.seq < self._lost
        changed = (source for source, seq in self._changed.items() if seq > request.seq)
        banned = bans.now() if is_whole else {source: bans.lasts_s(source) for source in changed}
        return BorderView(
            *(self._run, self._seq, is_whole, banned),
            tuple((str(rule.network), tuple(rule.services)) for rule in rules) if is_whole else (),
        )

    def ban(self, source: str, seconds: float) -> None:
        self._note(source)

    def unban(self, source: str) -> None:
        self._note(source)

    def _begin_anew(self) -> None:
        self._run = secrets.token_hex(8)
        self._tell()

    def _note(self, source: str) -> None:
        self._seq += 1
        self._changed[source] = self._seq
        self._changed.move_to_end(source)
        if len(self._changed) > self._most:
            self._lost = self._changed.popitem(last=False)[1]
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
