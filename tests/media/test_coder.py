"""Every codec behind the one set of functions that the engine calls."""

import numpy as np
import pytest

from media.codec import g711_ref
from media.codec.coder import Codec, available
from media.codec.libraries import MISSING

NOISE = np.random.default_rng(3).integers(-32768, 32768, 960).astype(np.int16)


@pytest.mark.parametrize("name", ["PCMU", "pcma"])
def test_g711_is_that_of_the_reference(name: str) -> None:
    encode, decode = {
        "PCMU": (g711_ref.encode_ulaw, g711_ref.decode_ulaw),
        "PCMA": (g711_ref.encode_alaw, g711_ref.decode_alaw),
    }[name.upper()]
    codec = Codec(name, 8000)
    payload = codec.encode(NOISE)
    assert payload == encode(NOISE).tobytes()
    assert codec.decode(payload) == decode(np.frombuffer(payload, np.uint8)).tobytes()
    assert (codec.rate, codec.clock_rate, codec.duration(payload)) == (8000, 8000, 960)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_l16_is_the_samples_in_network_order(rate: int) -> None:
    """RFC 3551 §4.5.11"""
    codec = Codec("L16", rate)
    payload = codec.encode(NOISE)
    assert payload == NOISE.astype(">i2").tobytes()
    assert codec.decode(payload) == NOISE.tobytes()
    assert (codec.clock_rate, codec.duration(payload)) == (rate, 960)


def test_l16_with_half_a_sample_is_not_decoded() -> None:
    codec = Codec("L16", 8000)
    assert codec.decode(bytes(321)) is None
    assert codec.duration(bytes(321)) is None


@pytest.mark.parametrize("name", ["PCMU", "L16"])
def test_nothing_is_written_beyond_the_room_that_there_is(name: str) -> None:
    codec = Codec(name, 8000)
    payload = codec.encode(NOISE[:160])
    assert codec.decode(payload, room=159) is None
    assert codec.encode(NOISE[:160], room=len(payload) - 1) == b""
    assert codec.decode(b"") is None
    assert codec.encode(NOISE[:0]) == b""


@pytest.mark.parametrize("name", ["PCMU", "PCMA", "L16"])
def test_what_has_no_concealment_of_its_own_says_so(name: str) -> None:
    assert Codec(name, 8000).recover(160) is None


@pytest.mark.parametrize(("name", "rate"), [("PCMU", 16000), ("L16", 11025), ("iLBC", 8000), ("", 0)])
def test_what_cannot_be_opened_is_refused_with_a_sentence(name: str, rate: int) -> None:
    with pytest.raises(ValueError, match="cannot be opened"):
        Codec(name, rate)


def test_opus_and_g729_say_what_to_install_when_their_library_is_missing() -> None:
    assert "libopus0" in MISSING["opus"]
    assert "libbcg729-0" in MISSING["G729"]
    assert not available("iLBC")
    assert all(available(name) for name in ("PCMU", "pcma", "L16", "G722"))
