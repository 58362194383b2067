"""Which codecs are offered and answered (REG-13): the system's list in its order, as far as the engine converts them.

The rules, in this order: two parties that can share a codec do, the first of the list that both have; where sound has
to be converted, wideband meets wideband; G.711 is always there in the end, so that nobody is left without. A codec that
the list leaves out is not used. One that Zvon does not know is passed through when both sides have it.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

from sipcore.sdp.model import RtpFormat

Formats = tuple[RtpFormat, ...]

PCMA, PCMU = RtpFormat(8, "PCMA"), RtpFormat(0, "PCMU")
OPUS = RtpFormat(111, "opus", 48000, 2, "minptime=10;useinbandfec=1")
KNOWN = {
    each.name.lower(): each
    for each in (
        *(OPUS, RtpFormat(9, "G722"), PCMA, PCMU),
        *(RtpFormat(18, "G729", fmtp="annexb=no"), RtpFormat(96, "L16", 16000)),
    )
}
USUAL = ("opus", "G722", "PCMA", "PCMU", "G729")
WIDEBAND = ("opus", "g722", "l16")
LAST_RESORT = (PCMA, PCMU)
EVENTS = {rate: RtpFormat(number, "telephone-event", rate, fmtp="0-16") for rate, number in ((8000, 101), (48000, 110))}
DYNAMIC = range(96, 128)


class Codecs:
    """`order` are names of the list, `convertible` those of the engine."""

    def __init__(self, order: Iterable[str] = USUAL, convertible: Collection[str] = tuple(KNOWN)) -> None:
        able = {name.lower() for name in convertible}
        listed = [KNOWN[name.lower()] for name in order]
        self._used: Formats = tuple(dict.fromkeys([*listed, *LAST_RESORT]))
        self._converted: Formats = tuple(each for each in self._used if each.name.lower() in able)
        self._place = {each.encoding: at for at, each in enumerate(self._used)}
        self._able, self._narrow = tuple(able), dict[tuple[str, ...], Codecs]()
        self.whole = self  # of the system, where this is of one account
        self.missing = tuple(each.name for each in self._used if each not in self._converted)
        self.for_peer = lru_cache(maxsize=256)(self._for_peer)
        self.like = lru_cache(maxsize=256)(self._like)
        self.usable = lru_cache(maxsize=256)(self._usable)
        self.basic = _complete(self._converted)

    def only(self, names: tuple[str, ...]) -> "Codecs":
        """The same for an account that may use no others (EXT-12); G.711 stays the last resort. All for no names."""
        if not names:
            return self
        found = self._narrow.get(names)
        if found is None:
            listed = [each.name for each in self._used if each.name in names]
            found = self._narrow[names] = Codecs(listed, self._able)
            found.whole = self
        return found

    def limited(self, formats: Sequence[RtpFormat]) -> Sequence[RtpFormat]:
        """What of these may be used; all, where nobody would hear anything otherwise."""
        if self.whole is self:
            return formats
        rates = {each.clock_rate for each in formats if each.is_audio and each.encoding in self._place}
        if not rates:
            return formats
        return [
            each for each in formats if (each.encoding in self._place if each.is_audio else each.clock_rate in rates)
        ]

    def can_convert(self, codec: RtpFormat) -> bool:
        return any(each.encoding == codec.encoding for each in self._converted)

    def _usable(self, offered: Formats) -> Formats:
        """What a peer offers, less what the list leaves out; those of the list in its order, others in their place."""
        kept = [each for each in offered if each.encoding in self._place or each.name.lower() not in KNOWN]
        known = iter(sorted((each for each in kept if each.encoding in self._place), key=self._at))
        return tuple(next(known) if each.encoding in self._place else each for each in kept)

    def _for_peer(self, offered: Formats) -> Formats:
        """What to offer to the other side of a caller who offered this: the same under the same numbers, and what can
        be converted from or to it."""
        usable = self._usable(offered)
        audio = [each for each in usable if each.is_audio]
        companions = [each for each in usable if not each.is_audio]
        if any(map(self.can_convert, audio)):
            audio += self._further(audio)
        digits = any(map(is_event, companions))
        return _numbered([*audio, *companions, *(_events(audio) if digits else ())])

    def _like(self, codec: RtpFormat | None) -> Formats:
        """What a side may use when the other side uses `codec`: the same first, then what sounds best with it."""
        if codec is None:
            return self.basic
        further = self._further([codec]) if self.can_convert(codec) else ()
        return _complete((codec, *further))

    def for_whom_talks(self, codec: RtpFormat | None) -> Formats:
        """What to offer to the target of a party that talks already: its codec, then what it may be asked to change
        to."""
        formats = (*self.like(codec), *self.basic)
        return _numbered([*(f for f in formats if f.is_audio), *(f for f in formats if not f.is_audio)])

    def _further(self, audio: Sequence[RtpFormat]) -> list[RtpFormat]:
        """What can be converted besides; of those that share their bandwidth with the best of `audio` first."""
        has = {each.encoding for each in audio}
        is_wide = any(each.name.lower() in WIDEBAND and self.can_convert(each) for each in audio)
        rest = [each for each in self._converted if each.encoding not in has]
        return sorted(rest, key=lambda each: ((each.name.lower() in WIDEBAND) != is_wide, not is_wide and _cost(each)))

    def _at(self, each: RtpFormat) -> int:
        return self._place[each.encoding]


def _cost(each: RtpFormat) -> bool:
    """Whether a conversion to it costs more than a look into a table."""
    return each not in LAST_RESORT


def _complete(audio: Formats) -> Formats:
    """With digits at the clock rates of the codecs."""
    return _numbered([*audio, *_events(audio)])


def _events(audio: Sequence[RtpFormat]) -> list[RtpFormat]:
    """Those of 8 kHz first: it is what old phones look for."""
    rates = {each.clock_rate for each in audio}
    return [each for rate, each in EVENTS.items() if rate in rates or rate == 8000]


def _numbered(formats: Iterable[RtpFormat]) -> Formats:
    """Each encoding once, each under a number of its own; the first keeps the number that it has."""
    found: dict[tuple[str, int, int], RtpFormat] = {}
    taken: set[int] = set()
    for each in formats:
        if each.encoding in found:
            continue
        number = each.number if each.number not in taken else next(free for free in DYNAMIC if free not in taken)
        taken.add(number)
        found[each.encoding] = each if number == each.number else _renumbered(each, number)
    return tuple(found.values())


def _renumbered(each: RtpFormat, number: int) -> RtpFormat:
    return RtpFormat(number, each.name, each.clock_rate, each.channels, each.fmtp)


def is_event(each: RtpFormat) -> bool:
    """Digits by RFC 4733."""
    return each.name.lower() == "telephone-event"


def codec_of(formats: Iterable[RtpFormat]) -> RtpFormat | None:
    """The first that is sound."""
    for each in formats:
        if each.is_audio:
            return each
    return None
