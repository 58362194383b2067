"""Call-progress tones by country (REG-18): what a telephone says without words.

Frequencies and cadences are those of ITU-T E.180 Supplement 2 (tones used in national networks); of the United Kingdom
BT SIN 350. Where it allows several, the one of the public network that people know. A call waiting tone that it does
not name is that of neighbouring practice (France, Portugal).
"""

from conf.countries import country_of
from frozen import dataclass
from media.api import ToneSource

LEVEL_DBOV = -18.0  # -15 dBm0: E.180 recommends -10 ±5 at the local exchange, and a headset is closer
Cadence = tuple[tuple[tuple[float, ...], int], ...]


@dataclass(frozen=True, slots=True)
class CountryTones:
    """`dial`: a number may be dialled; `congestion`: the network cannot; `waiting`: somebody else is calling."""

    dial: ToneSource
    ringback: ToneSource
    busy: ToneSource
    congestion: ToneSource
    waiting: ToneSource


def _tone(text: str) -> ToneSource:
    """`425/1000 0/4000`: Hz joined by + and ms, 0 Hz is silence."""
    steps = (step.split("/") for step in text.split())
    cadence: Cadence = tuple((_frequencies(hz), int(ms)) for hz, ms in steps)
    return ToneSource(cadence, loop=True, level_db=LEVEL_DBOV)


def _frequencies(text: str) -> tuple[float, ...]:
    return tuple(float(each) for each in text.split("+") if each != "0")


def _country(dial: str, ringback: str, busy: str, congestion: str, waiting: str) -> CountryTones:
    return CountryTones(*map(_tone, (dial, ringback, busy, congestion, waiting)))


TONES = {
    "de": _country("425/1000", "425/1000 0/4000", "425/480 0/480", "425/240 0/240", "425/200 0/200 425/200 0/5000"),
    "dk": _country("425/1000", "425/1000 0/4000", "425/500 0/500", "425/200 0/200", "425/200 0/600 425/200 0/3000"),
    "es": _country(
        "425/1000",
        "425/1500 0/3000",
        "425/200 0/200",
        "425/200 0/200 425/200 0/200 425/200 0/600",
        "425/175 0/175 425/175 0/3500",
    ),
    "fr": _country("440/1000", "440/1500 0/3500", "440/500 0/500", "440/250 0/250", "440/300 0/10000"),
    "gr": _country(
        "425/200 0/300 425/700 0/800",
        "425/1000 0/4000",
        "425/300 0/300",
        "425/200 0/200",
        "425/150 0/150 425/150 0/8000",
    ),
    "it": _country(
        "425/200 0/200 425/600 0/1000",
        "425/1000 0/4000",
        "425/500 0/500",
        "425/200 0/200",
        "425/400 0/100 425/250 0/100 425/150 0/14000",
    ),
    # Ringing is 400 Hz modulated by 16 Hz: two tones that beat 16 times a second.
    "jp": _country("400/1000", "392+408/1000 0/2000", "400/500 0/500", "400/500 0/500", "392+408/500 0/8000"),
    "nl": _country("425/1000", "425/1000 0/4000", "425/500 0/500", "425/250 0/250", "425/500 0/9500"),
    "pl": _country("425/1000", "425/1000 0/4000", "425/500 0/500", "425/500 0/500", "425/150 0/150 425/150 0/4000"),
    "pt": _country("425/1000", "425/1000 0/5000", "425/500 0/500", "425/200 0/200", "425/200 0/200 425/200 0/5000"),
    "ru": _country("425/1000", "425/1000 0/4000", "425/350 0/350", "425/175 0/175", "425/200 0/5000"),
    "uk": _country(
        "350+440/1000",
        "400+450/400 0/200 400+450/400 0/2000",
        "400/375 0/375",
        "400/400 0/350 400/225 0/525",
        "400/100 0/4000",
    ),
    "us": _country("350+440/1000", "440+480/2000 0/4000", "480+620/500 0/500", "480+620/250 0/250", "440/300 0/10000"),
}
FALLBACK = "ru"  # REG-18


def tones_of(country: str, language: str) -> CountryTones:
    """Those of the office's country; without one, of the country where its language is spoken most."""
    return TONES.get(country_of(country, language)) or TONES[FALLBACK]
