"""Saying something to one party in its language, and hearing which keys it presses."""

from datetime import date, datetime, time

from frozen import dataclass
from pbx.api import AppContext, Collect, Leg, Playlist, PlaySource, Why, collect

DIGITS_S, KEY_S = 10.0, 7.0  # for the first digit after a prompt
NEXT_S = 5.0
TRIES = 3

Value = int | float | str | date | time | tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Dialogue:
    leg: Leg
    ctx: AppContext

    def prompt(self, *prompts: str, **values: Value) -> Playlist:
        return self.ctx.prompts.say(*prompts, language=self.leg.party.language, **values)

    async def say(self, *prompts: str, **values: Value) -> None:
        """To the end; keys that are pressed meanwhile are for what comes next."""
        await self.leg.play(self.prompt(*prompts, **values))

    async def key(self, source: PlaySource, first_s: float = KEY_S) -> str:
        """One key, which ends what is heard; "" when none comes in time after it."""
        found = await collect(self.leg, Collect(most=1, first_s=first_s), source)
        return found.digits

    async def choice(self, *prompts: str, keys: str) -> str:
        """One of the keys; "" when none of them comes, however often the prompts are repeated."""
        for _ in range(TRIES):
            found = await self.key(self.prompt(*prompts))
            if found and found in keys:
                return found
        return ""

    async def digits(self, *prompts: str, most: int = 20) -> str:
        """Digits up to the pound key or a pause."""
        wanted = Collect(most=most, first_s=DIGITS_S, next_s=NEXT_S, end="#")
        found = await collect(self.leg, wanted, self.prompt(*prompts))
        return "" if found.why is Why.NOTHING else found.digits
