"""One leg's media: its endpoints in the engine and the session descriptions that lead there (RFC 3264).

Sound is negotiated here. Other streams (`passed_stream.py`) are offered and answered as the other party wants them.
Nothing waits or talks to the engine: descriptions come in and go out, commands are handed back to be carried out
together with others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from frozen import dataclass
from media.api import Command, ConfigureEndpoint, CreateEndpoint, DestroyEndpoint, EndpointCreated, EndpointId
from pbx.codecs import EVENTS, Codecs, codec_of, is_event
from pbx.digits import Way, offers_events, way_of
from pbx.encryption import Encryption, before_answer, moved, needs_handshake
from pbx.media_endpoint import MediaAddress, MediaEndpoint, MediaRefused, Surroundings
from pbx.passed_stream import AllPassed, Key, PassedStream
from sipcore.errors import ParseError, RemoteProtocolError
from sipcore.sdp.model import Direction, MediaSection, RtpFormat, SessionDescription
from sipcore.sdp.negotiate import answer_nothing, make_answer, make_offer, read_answer, revise, with_others
from sipcore.sdp.parse import parse_sdp
from sipcore.sdp.passing import Passed, passed_in
from sipcore.sdp.sections import Negotiated, refused
from sipcore.sdp.security import PROFILES, is_acceptable
from sipcore.sdp.write import write_sdp

NOTHING: AllPassed = {}
NO_ENDPOINTS: frozenset[EndpointId] = frozenset()


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """How long a party may send nothing until it counts as gone (REG-10), 0 is for ever."""

    talking_s: float = 120.0
    held_s: float = 600.0


OUTSIDE_SILENCE = SilenceLimits(60.0, 300.0)  # of a provider


class MediaSession(MediaEndpoint):
    """The endpoint is that of sound. `passing`: the other streams; `offered`: what the peer's last offer has of them.
    `is_silent`: there is no sound now, as while a fax is sent. `dtmf` is the setting of that name of the terminal.
    `keeps_digits`: what the peer presses reaches nobody until call control says so."""

    __slots__ = (
        "_codecs",
        "_dropped",
        "_dtmf",
        "_offer",
        "_places",
        "_sent",
        "_silence",
        "ending",
        "is_silent",
        "keeps_digits",
        "offered",
        "passing",
        "peer_offer",
    )

    def __init__(
        self,
        endpoint: EndpointId,
        address: MediaAddress,
        sources: tuple[str, ...],
        codecs: Codecs,
        *,
        group: int = 0,
        encryption: Encryption = Encryption(),  # noqa: B008 - frozen
        silence: SilenceLimits = SilenceLimits(),  # noqa: B008
        dtmf: str = "auto",
    ) -> None:
        super().__init__(endpoint, Surroundings(address, sources, group, encryption))
        self._codecs, self._silence, self._dtmf = codecs, silence, dtmf
        self._sent: SessionDescription | None = None
        self._offer: SessionDescription | None = None
        self.peer_offer: SessionDescription | None = None
        self.is_silent = False
        self.keeps_digits = False
        self.passing: list[PassedStream] = []
        self.offered: AllPassed = NOTHING
        self._places: Mapping[Key, int] = {}
        self._dropped: list[PassedStream] = []
        self.ending = NO_ENDPOINTS  # of other streams, whose last report is still to come

    @property
    def group(self) -> int:
        return self.around.group

    # --- endpoints --------------------------------------------------------------------------------------------

    def creating(self) -> tuple[CreateEndpoint, ...]:
        """Commands for all endpoints that are not there yet."""
        sound = () if self.is_created else (self.wish(handshake=needs_handshake(self.security, self.peer_offer)),)
        return (*sound, *(each.creating(self.endpoint) for each in self.passing if not each.is_created))

    def created(self, *replies: EndpointCreated) -> None:
        endpoints = {each.endpoint: each for each in (self, *self.passing)}
        for reply in replies:
            endpoints[reply.endpoint].made(reply)

    def elsewhere(self, endpoint: EndpointId, group: int) -> "MediaSession":
        """The same session of descriptions with another endpoint for sound, not created yet; other streams end."""
        around = self.around
        found = MediaSession(
            *(endpoint, around.address, around.sources, self._codecs),
            group=group,
            encryption=around.encryption,
            silence=self._silence,
            dtmf=self._dtmf,
        )
        found._sent, found.peer_offer, found.agreed = self._sent, self.peer_offer, self.agreed
        found.keeps_digits = self.keeps_digits
        if self.agreed is not None:
            found.security = moved(self.security, found.security, self.agreed)
        return found

    def destroying(self) -> tuple[DestroyEndpoint, ...]:
        """Commands that end all endpoints."""
        others: tuple[DestroyEndpoint, ...] = ()
        if self.passing or self._dropped:
            others = self._endings([*self.passing, *self._dropped])
            self._dropped.clear()
        return (*others, self.end()) if self.is_created else others

    def _endings(self, streams: Iterable[PassedStream]) -> tuple[DestroyEndpoint, ...]:
        commands = tuple([each.end() for each in streams if each.is_created])
        if commands:
            self.ending |= {command.endpoint for command in commands}
        return commands

    def lost(self, endpoint: EndpointId) -> None:
        """That endpoint does not exist any more."""
        self.ending -= {endpoint}
        for each in (self, *self.passing):
            if each.endpoint == endpoint:
                each.gone()

    def configuring(self) -> tuple[Command, ...]:
        """The engine's view of what was agreed on."""
        streams = [each.configuring() for each in self.passing if each.agreed is not None]
        ended = self._endings(self._dropped)
        self._dropped.clear()
        return (*self._sound(), *streams, *ended)

    def _sound(self) -> tuple[ConfigureEndpoint, ...]:
        if self.agreed is None:
            return ()
        tones = self.digit_way is Way.TONES
        return (self.configured(silence_s=self.silence_s, tones=tones, keeps_digits=self.keeps_digits),)

    # --- streams that are passed on ---------------------------------------------------------------------------

    def expect(self, new_id: Callable[[], EndpointId]) -> None:
        """Streams for all that the peer's last offer has besides sound; those that are new are to be created."""
        known = {each.index: each for each in self.passing}
        for key, passed in self.offered.items():
            stream = known.get(self._places[key])
            if stream is not None:
                stream.key = key
            else:
                self.passing.append(self._stream(new_id(), key, self._places[key], passed, asked=self.peer_offer))

    def want(self, passing: AllPassed, new_id: Callable[[], EndpointId], *, with_sound: bool = True) -> None:
        """Streams for our next offer; those that are new are to be created."""
        known = {(each.key, each.is_rtp) for each in self.passing}
        for key, passed in passing.items():
            if (key, passed.is_rtp) not in known:
                place = self._free_place(key[0], with_sound=with_sound)
                self.passing.append(self._stream(new_id(), key, place, passed))

    def keep_agreed(self) -> None:
        """Streams that were never agreed on are over."""
        self._keep([each for each in self.passing if each.agreed is not None])

    def _stream(
        self, endpoint: EndpointId, key: Key, place: int, passed: Passed, asked: SessionDescription | None = None
    ) -> PassedStream:
        return PassedStream(endpoint, self.around, key, place, is_rtp=passed.is_rtp, asked=asked)

    def _free_place(self, media: str, *, with_sound: bool) -> int:
        """An m= line of that kind that is off, else the next."""
        taken = {each.index for each in self.passing}
        before = self._sent.media if self._sent is not None else ()
        off = (at for at, each in enumerate(before) if each.media == media and not each.port and at not in taken)
        beyond = max(len(before), 1 if with_sound else 0, *(at + 1 for at in taken), 0)
        return next(off, beyond)

    @property
    def accepted(self) -> AllPassed:
        """What the peer takes part in, besides sound, for the answer to the other party."""
        return {each.key: found for each in self.passing if (found := each.accepted) is not None}

    # --- descriptions -----------------------------------------------------------------------------------------

    def offer(self, formats: Sequence[RtpFormat], passing: AllPassed | None = None) -> bytes:
        """An offer of ours. `passing`: the other streams, made by `want`; None: as they are."""
        others = {}
        for each in self.passing:
            wanted = passing.get(each.key) if passing is not None else None
            section = each.offer(wanted) if each.is_created and (passing is None or wanted is not None) else None
            if section is not None:
                others[each.index] = section
        offered = make_offer(
            self.ready(),
            self._usable(formats),
            session_id=self.endpoint,
            previous=self._sent,
            direction=Direction.SENDRECV,
            others=others,
        )
        self._offer = self._revised(offered)
        return write_sdp(self._offer)

    def take_answer(self, sdp: bytes) -> None:
        """The peer's answer to our offer; raises `MediaRefused`."""
        if self._offer is None:
            raise MediaRefused("an answer without an offer", 400)
        answer = _completed(_parse(sdp), self._offer)
        try:
            agreed = read_answer(self._offer, answer, self.security)
            is_wanted = any(each.media == "audio" and each.port for each in self._offer.media)
            if agreed is None and is_wanted:
                raise MediaRefused("the answer refuses the stream")
            kept = [each for each in self.passing if each.take_answer(self._offer, answer)]
        except RemoteProtocolError as error:
            raise MediaRefused(error.reason) from None
        self._keep(kept)
        self._settle(agreed, None)
        self._sent = self._offer

    def take_refresh(self, sdp: bytes) -> None:
        """The peer's answer to our description in force, offered once more; raises `MediaRefused`."""
        self._offer = self._sent
        self.take_answer(sdp)

    def take_offer(self, sdp: bytes) -> tuple[RtpFormat, ...]:
        """The peer's offer: the formats of its first audio stream, none when it offers other streams only; raises
        `MediaRefused`."""
        self.peer_offer = _parse(sdp)
        self._read_passed(self.peer_offer)
        is_unencrypted = False
        for section in self.peer_offer.media:
            if section.media != "audio" or not section.port or codec_of(section.formats) is None:
                continue
            if is_acceptable(self.security, self.peer_offer, section):
                return section.formats
            is_unencrypted |= section.protocol.upper() in PROFILES
        if self.offered and not is_unencrypted:
            return ()
        why = "no stream with the encryption that is needed" if is_unencrypted else "no audio stream"
        raise MediaRefused(f"{why} in the offer", is_unencrypted=is_unencrypted)

    def _read_passed(self, offer: SessionDescription) -> None:
        offered: dict[Key, Passed] = {}
        self._places = {}
        for place, section in enumerate(offer.media):
            found = passed_in(offer, section, self.security)
            if found is not None:
                key = (found.media, sum(1 for each in offered if each[0] == found.media))
                offered[key], self._places[key] = found, place
        self.offered = offered

    def answer(self, formats: Sequence[RtpFormat], accepted: AllPassed = NOTHING) -> bytes:
        """The answer to the offer taken last: one codec out of `formats`, in our order, and of the other streams what
        the other party has accepted; raises `MediaRefused`."""
        offer = self.peer_offer
        if offer is None:
            raise MediaRefused("no offer to answer", 400)
        self.security = before_answer(self.security, self.agreed, offer)
        local = self.ready()
        found = make_answer(offer, local, self._usable(formats), session_id=self.endpoint, only_first=True)
        if found is None and not (accepted.keys() & self.offered.keys() and not self.offered_formats):
            raise MediaRefused("no codec in common")
        others = self._answers(offer, accepted)
        if found is None and not others:
            raise MediaRefused("nothing in common")
        whole = found.description if found is not None else answer_nothing(offer, local, session_id=self.endpoint)
        self._keep([each for each in self.passing if each.index in others])
        agreed = found.media if found is not None else None
        self._settle(agreed, offer.media[agreed.index].attribute("mid") if agreed is not None else None)
        self._sent = self._revised(with_others(whole, others))
        return write_sdp(self._sent)

    def _answers(self, offer: SessionDescription, accepted: AllPassed) -> dict[int, MediaSection]:
        """The m= lines of other streams that both parties take part in."""
        answers = {}
        for each in self.passing:
            wanted = accepted.get(each.key)
            if wanted is None or not each.is_created or self._places.get(each.key) != each.index:
                continue
            section = each.answer(offer, wanted)
            if section is not None:
                answers[each.index] = section
        return answers

    def repeat(self) -> bytes:
        """Our description in force, for a message that has to carry it again."""
        return write_sdp(self._sent) if self._sent is not None else b""

    # --- what was agreed --------------------------------------------------------------------------------------

    @property
    def codec(self) -> RtpFormat | None:
        """The codec we send."""
        return codec_of(self.agreed.send) if self.agreed is not None and not self.is_silent else None

    @property
    def digit_way(self) -> Way:
        """How the peer sends and takes digits."""
        return way_of(self._dtmf, has_events=self.agreed is not None and any(map(is_event, self.agreed.send)))

    @property
    def offered_formats(self) -> tuple[RtpFormat, ...]:
        """What the peer offered, any codec that can be sent back to it; our own basics when it left that to us."""
        if self.peer_offer is None:
            return self._codecs.basic
        audio = (section.formats for section in self.peer_offer.media if section.media == "audio" and section.port)
        return self._codecs.usable(next(audio, ()))

    @property
    def formats_for_other_side(self) -> tuple[RtpFormat, ...]:
        """What the other side of a conversation may use so that both hear each other."""
        return self._codecs.whole.like(self.codec)

    @property
    def is_held(self) -> bool:
        """The peer does not want to hear us."""
        return self.agreed is not None and self.agreed.is_held and not self.is_silent

    @property
    def silence_s(self) -> float:
        """How long nothing may come now, 0 is for ever: on hold longer, and from who only listens nothing has to."""
        if self.is_held:
            return self._silence.held_s
        return self._silence.talking_s if self.agreed is not None and self.agreed.direction.receives else 0.0

    def _usable(self, formats: Sequence[RtpFormat]) -> Sequence[RtpFormat]:
        """What the peer may use: without RFC 4733 for a party whose digits come another way, with it for one whose
        digits come in no other."""
        formats = self._codecs.limited(formats)
        if not offers_events(self._dtmf):
            return [each for each in formats if not is_event(each)]
        return [*formats, EVENTS[8000]] if self._dtmf == "rfc4733" and not any(map(is_event, formats)) else formats

    def _settle(self, agreed: Negotiated | None, mid: str | None) -> None:
        """Sound as agreed on; without it, the stream of before is off."""
        self.is_silent = agreed is None
        if agreed is not None:
            self.has_agreed(agreed, mid)
        elif self.agreed is not None:
            self.agreed = replace(self.agreed, direction=Direction.INACTIVE)

    def _keep(self, streams: Iterable[PassedStream]) -> None:
        """Other streams than these are over."""
        kept = list(streams)
        self._dropped += [each for each in self.passing if each not in kept]
        self.passing = kept

    def _revised(self, new: SessionDescription) -> SessionDescription:
        return revise(self._sent, new) if self._sent is not None else new


def _parse(sdp: bytes) -> SessionDescription:
    try:
        return parse_sdp(sdp)
    except ParseError as error:
        raise MediaRefused(error.reason, error.status) from None


def _completed(answer: SessionDescription, offer: SessionDescription) -> SessionDescription:
    """Phones that know nothing but sound sometimes leave out what they refuse (RFC 3264 §6 wants it with port 0)."""
    missing = tuple(map(refused, offer.media[len(answer.media) :]))
    return replace(answer, media=answer.media + missing) if missing else answer
