"""Numbers of clients that some employees do not see (FEAT-28): a substitute stands for each, which they can dial.

`4567*123456`: the last four digits tell clients apart, the token behind the star is the client's for good. No number
outside and no code of the office looks like that.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random, SystemRandom

from pbx.party import Party, PartyKind
from pbx.states import States
from storage.records import Office, fits

AREA = "masked-numbers"  # of what is remembered over a restart: token → number
KEPT = 100_000  # numbers; the oldest are forgotten
_SUBSTITUTE = re.compile(r"[0-9]{0,4}\*[0-9]{6}")
_DIGITS_IN_NAME = re.compile(r"[0-9][0-9 ()+-]{5,}")


def is_substitute(office: Office, number: str) -> bool:
    return bool(office.features.masked) and _SUBSTITUTE.fullmatch(number) is not None


class Masks:
    """What takes the place of numbers. `viewers` are the terminals, or patterns of them, that see substitutes."""

    def __init__(self, states: States | None = None, random: Random | None = None) -> None:
        """`states` None: nothing is remembered, as long as nobody sees a substitute."""
        self._states, self._random = states, random or SystemRandom()
        self._viewers: Sequence[str] = ()
        self._token_of: dict[str, str] = {}

    def office_changed(self, office: Office) -> None:
        self._viewers = office.features.masked

    def shown_to(self, viewer: str, party: Party) -> Party:
        """The party as the terminal `viewer` may see it."""
        if not self._viewers or not (party.kind is PartyKind.OUTSIDE or party.presented):
            return party
        if (
            party.is_private
            or _SUBSTITUTE.fullmatch(party.shown_number)
            or not any(fits(viewer, each) for each in self._viewers)
        ):
            return party
        name = "" if _DIGITS_IN_NAME.search(party.name) else party.name
        return replace(party, name=name, presented=self.substitute(party.shown_number))

    def substitute(self, number: str) -> str:
        """The same for a number each time."""
        number = number.removeprefix("+")
        if not self._token_of:
            self._token_of = {number: token for token, number in self._known().items()}
        token = self._token_of.get(number) or self._new_token(number)
        return f"{number[-4:]}*{token}"

    def number_of(self, substitute: str) -> str:
        """The number that it stands for; "" when it stands for none."""
        last, _, token = substitute.partition("*")
        number = self._known().get(token, "")
        return number if number[-4:] == last else ""

    def _new_token(self, number: str) -> str:
        assert self._states is not None
        known = self._states.of(AREA)
        if len(known) >= KEPT:
            oldest = next(iter(known))
            self._token_of.pop(known[oldest], None)
            self._states.put(AREA, oldest, None)
        token = ""
        while not token or token in known:
            token = f"{self._random.randrange(10**6):06}"
        self._states.put(AREA, token, number)
        self._token_of[number] = token
        return token

    def _known(self) -> Mapping[str, str]:
        return {} if self._states is None else self._states.of(AREA)
