"""What was wrong with the sound of a call, in sentences: who was not heard, on which way packets were lost, and why.

Each leg knows two ways: from its party to Zvon, measured here, and back, as far as the party reports of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import field

from frozen import dataclass

LOSS_PERCENT = 1.0  # heard by people
JITTER_MS = 40.0  # more than small jitter buffers hold
TRIP_MS = 300.0  # people begin to interrupt each other (ITU-T G.114)
SILENT_S = 10.0
GOOD_MOS = 3.6  # below this some are dissatisfied (ITU-T G.107 annex B)

_STRANGE = ("stranger", "not_source", "probation")
_SEALED = ("srtp_auth", "srtp_failed", "srtp_waiting")


@dataclass(frozen=True, slots=True)
class LegSound:
    """One leg: who, its figures (none when nobody answered), where its SDP wanted audio, where its audio came from."""

    who: str
    quality: dict[str, float] = field(default_factory=dict)
    asked_for: str = ""
    audio_from: str = ""

    def of(self, name: str) -> float:
        return self.quality.get(name, 0.0)

    def dropped(self, *reasons: str) -> float:
        return sum(self.of(f"dropped_{reason}") for reason in reasons)

    @property
    def is_heard(self) -> bool:
        return self.of("received") > 0

    @property
    def loss_percent(self) -> float:
        sent = self.of("received") + self.of("lost")
        return 100 * self.of("lost") / sent if sent else 0.0


def diagnosis(legs: Sequence[LegSound]) -> list[str]:
    """What to say of the sound of a call, most important first; nothing when nobody talked."""
    talked = [leg for leg in legs if leg.quality]
    if not talked:
        return []
    found = [*_one_way(talked), *(line for leg in talked for line in _of_leg(leg))]
    return found or [_praise(talked)]


def _one_way(legs: Sequence[LegSound]) -> Iterator[str]:
    silent = [leg for leg in legs if not leg.is_heard]
    heard = [leg for leg in legs if leg.is_heard]
    if silent and heard:
        yield f"One-way audio: {_all(heard)} could be heard, {_all(silent)} could not."


def _of_leg(leg: LegSound) -> Iterator[str]:
    if not leg.is_heard:
        yield _why_silent(leg)
    elif leg.of("silent_s") >= SILENT_S:
        yield f"{leg.who} stopped sending audio {leg.of('silent_s'):.0f} s before the end."
    yield from _on_the_way_here(leg)
    yield from _on_the_way_there(leg)
    if leg.of("round_trip_ms") >= TRIP_MS:
        yield f"Audio takes long between Zvon and {leg.who}: {leg.of('round_trip_ms'):.0f} ms there and back."


def _why_silent(leg: LegSound) -> str:
    if count := leg.dropped(*_STRANGE):
        wanted = f" ({leg.asked_for})" if leg.asked_for else ""
        return (
            f"Audio came for {leg.who}, but from the wrong source: {count:.0f} packets from an address that is neither "
            f"that of its SDP{wanted} nor that of its signalling."
        )
    if count := leg.dropped(*_SEALED):
        return f"The audio of {leg.who} cannot be decrypted: {count:.0f} packets were dropped."
    if count := leg.dropped("unknown_payload"):
        return f"{leg.who} sends a codec that was not agreed on: {count:.0f} packets were dropped."
    place = f" Its SDP says that its audio is at {leg.asked_for}." if leg.asked_for else ""
    return f"No audio came from {leg.who}: it sends none, or what it sends is lost before Zvon.{place}"


def _on_the_way_here(leg: LegSound) -> Iterator[str]:
    if leg.loss_percent >= LOSS_PERCENT:
        bursts = f", in bursts of {leg.of('burst_ms'):.0f} ms" if leg.of("burst_ms") else ""
        yield f"{leg.loss_percent:.1f} % of the audio of {leg.who} was lost between {leg.who} and Zvon{bursts}."
    if leg.of("jitter_ms") >= JITTER_MS:
        yield f"The audio of {leg.who} came irregularly: jitter {leg.of('jitter_ms'):.0f} ms."
    for name, count in leg.quality.items():
        codec = name.removeprefix("dropped_no_codec_")
        if codec != name:
            yield f"{count:.0f} packets of {leg.who} were in {codec}, which the other side does not speak."


def _on_the_way_there(leg: LegSound) -> Iterator[str]:
    if leg.is_heard and not leg.of("sent"):
        yield f"Nothing was sent to {leg.who}."
    if count := leg.dropped("send_refused"):
        yield f"{leg.who} did not listen where it wanted its audio: {count:.0f} packets were refused."
    if leg.of("remote_loss_percent") >= LOSS_PERCENT:
        yield f"{leg.of('remote_loss_percent'):.1f} % of the audio for {leg.who} was lost between Zvon and {leg.who}."
    if leg.of("remote_jitter_ms") >= JITTER_MS:
        yield f"The audio for {leg.who} came irregularly there: jitter {leg.of('remote_jitter_ms'):.0f} ms."


def _praise(legs: Sequence[LegSound]) -> str:
    rated = [leg for leg in legs if "mos" in leg.quality]
    figures = ", ".join(f"{leg.who} {leg.of('mos'):.1f}" for leg in rated)
    if any(leg.of("mos") < GOOD_MOS for leg in rated):
        return f"The sound was poor, for the codec alone: MOS of {figures}."
    return f"Nothing was wrong with the audio{f': MOS of {figures}' if figures else ''}."


def _all(legs: Sequence[LegSound]) -> str:
    return " and ".join(leg.who for leg in legs)
