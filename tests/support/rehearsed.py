"""Phones, providers and their calls, as a test of `zvon test` has them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from media.api import EndpointId, FileSource, Play, Playlist
from pbx.events import BusEvent
from pbx.hearing import Heard, Listening
from pbx.leg import Leg
from sipcore.message import Request
from tests.support.office import VirtualOffice
from tests.support.telco import Telco
from tests.support.ua import Phone, PhoneCall


class RehearsedCall:
    """A call as its phone sees it."""

    def __init__(self, call: PhoneCall, office: VirtualOffice, ears: "Ears", heard: "Played") -> None:
        self._call, self._office, self._ears, self._heard = call, office, ears, heard

    @property
    def number(self) -> str:
        """The number that was dialled, as the called side is given it."""
        return _user(str(self._invite.uri))

    @property
    def shown(self) -> str:
        """The number that is shown as the caller's."""
        return _user(str(self._invite.headers.get("from")))

    @property
    def talks_with(self) -> str | None:
        """The number of the party that is heard now."""
        leg = self._leg_or_none
        return None if leg is None else self._office.hears(leg.party.number)

    @property
    def heard(self) -> list[str]:
        """What was played to it in this call: ids of sounds, keys of prompts, "tone"."""
        return self._heard.in_call(self._invite.call_id)

    def ring(self) -> None:
        self._call.ring()

    def answer(self) -> None:
        self._call.answer()

    def refuse(self, status: int = 486) -> None:
        """486 is busy, 603 is declined."""
        self._call.reject(status)

    def hang_up(self) -> None:
        self._call.hangup()

    def press(self, keys: str) -> None:
        self._office.engine.press(self._leg.media.endpoint, keys)

    def say(self, phrase: str) -> None:
        """A spoken command; nothing happens where nobody listens for it."""
        self._ears.hear(self._leg, phrase)

    @property
    def is_answered(self) -> bool:
        return self._call.is_answered

    @property
    def is_over(self) -> bool:
        return self._call.is_over

    async def answered(self, within: float = 60.0) -> None:
        """Wait until the other side has taken the call; TimeoutError when it has not in so many seconds."""
        await self._call.until_answered(within)

    async def ended(self, within: float = 3600.0) -> int:
        """Wait for the end; the SIP status, 200 after a conversation."""
        return await self._call.until_over(within)

    @property
    def _invite(self) -> Request:
        assert self._call.invite is not None
        return self._call.invite

    @property
    def _leg_or_none(self) -> Leg | None:
        legs = self._office.services.legs.values()
        return next((leg for leg in legs if leg.side.sip_call_id == self._invite.call_id), None)

    @property
    def _leg(self) -> Leg:
        if (found := self._leg_or_none) is None:
            raise AssertionError("the call is over")
        return found


class RehearsedPhone:
    """A phone that is registered."""

    def __init__(self, phone: Phone, office: VirtualOffice, ears: "Ears", heard: "Played") -> None:
        self.number = phone.number
        self._phone, self._office, self._ears, self._heard = phone, office, ears, heard

    def dial(self, number: str) -> RehearsedCall:
        return self._of(self._phone.dial(number))

    async def rings(self, within: float = 60.0) -> RehearsedCall:
        """Wait for a call to this phone; it rings."""
        call = await self._phone.rung(within)
        call.ring()
        return self._of(call)

    @property
    def is_ringing(self) -> bool:
        return self._phone.is_ringing

    @property
    def talks_with(self) -> str | None:
        """The number of the party that is heard now."""
        return self._office.hears(self.number) if self.number in self._office.leg_numbers() else None

    @property
    def heard(self) -> list[str]:
        """What was played to it so far: ids of sounds, keys of prompts such as "en:number/1", "tone"."""
        return self._heard.by(self.number)

    def _of(self, call: PhoneCall) -> RehearsedCall:
        return RehearsedCall(call, self._office, self._ears, self._heard)


class RehearsedLine:
    """The server of a provider: it brings calls from outside, and is where calls to the outside arrive."""

    def __init__(self, telco: Telco, office: VirtualOffice, ears: "Ears", heard: "Played") -> None:
        self._telco, self._office, self._ears, self._heard = telco, office, ears, heard

    def call(self, number: str, caller: str, name: str = "") -> RehearsedCall:
        """Somebody outside calls that external number."""
        return self._of(self._telco.call(number, caller, name=name))

    async def rings(self, within: float = 60.0) -> RehearsedCall:
        """Wait for a call to the outside over this provider; it rings there."""
        call = await self._telco.rung(within)
        call.ring()
        return self._of(call)

    @property
    def is_ringing(self) -> bool:
        return self._telco.is_ringing

    def _of(self, call: PhoneCall) -> RehearsedCall:
        return RehearsedCall(call, self._office, self._ears, self._heard)


class Ears:
    """A recogniser that hears what tests say."""

    def __init__(self) -> None:
        self._listening: dict[int, tuple[frozenset[str], Heard]] = {}

    def listen(self, leg: Leg, language: str, phrases: Collection[str], heard: Heard) -> Listening:
        self._listening[leg.id] = frozenset(phrases), heard
        return _Ear(self._listening, leg.id)

    def hear(self, leg: Leg, phrase: str) -> None:
        phrases, heard = self._listening.get(leg.id, (frozenset(), None))
        if heard is not None and phrase in phrases:
            heard(phrase)


@dataclass(frozen=True, slots=True)
class _Ear:
    listening: dict[int, Any]
    leg: int

    def stop(self) -> None:
        self.listening.pop(self.leg, None)


class Played:
    """What was played to whom."""

    def __init__(self, office: VirtualOffice) -> None:
        self._office = office
        self._number_of: dict[EndpointId, str] = {}
        self._call_of: dict[EndpointId, str] = {}

    def leg_created(self, event: BusEvent) -> None:
        for endpoint, leg in self._office.services.legs.items():
            self._number_of.setdefault(endpoint, leg.party.number)
            self._call_of.setdefault(endpoint, leg.side.sip_call_id)

    def by(self, number: str) -> list[str]:
        return self._played({endpoint for endpoint, whose in self._number_of.items() if whose == number})

    def in_call(self, call_id: str) -> list[str]:
        return self._played({endpoint for endpoint, call in self._call_of.items() if call == call_id})

    def _played(self, endpoints: Collection[EndpointId]) -> list[str]:
        plays = [each for each in self._office.engine.of(Play) if each.endpoint in endpoints]
        return [name for play in plays for name in self._names(play)]

    def _names(self, play: Play) -> Iterator[str]:
        ids = {sound.file: sound.id for sound in self._office.pbx.office.sounds}
        source = play.source
        files = source.files if isinstance(source, Playlist) else (source,) if isinstance(source, FileSource) else ()
        yield from (ids.get(file.path, file.path) for file in files) if files else ("tone",)


def _user(text: str) -> str:
    """The user part of the SIP address in a header value."""
    return text.partition("sip:")[2].partition("@")[0]
