"""A substitute for the number of a client is dialled (FEAT-28): the client is called, and its number stays unseen."""

from typing import ClassVar

from pbx.api import NOT_FOUND, AppContext, Call, GoTo, Inquiry, Next, Office, is_substitute, say


class MaskedNumber:
    """The app behind a substitute."""

    name: ClassVar[str] = "masked number"
    stage: ClassVar[str] = "masked"

    def __init__(self, substitute: str) -> None:
        self._substitute = substitute

    async def run(self, call: Call, ctx: AppContext) -> Next:
        number = ctx.number_behind(self._substitute)
        return GoTo(number) if number else NOT_FOUND

    def explain(self, asked: Inquiry, ctx: AppContext) -> Next:
        number = ctx.number_behind(self._substitute)
        why = say("stands for {number}", number=number) if number else say("stands for no number any longer")
        asked.tried("features.masked", matched=bool(number), why=why)
        return GoTo(number) if number else NOT_FOUND


def claim_substitute(office: Office, number: str) -> MaskedNumber | None:
    """The app of a number that has the form of a substitute, where the office has some."""
    return MaskedNumber(number) if is_substitute(office, number) else None
