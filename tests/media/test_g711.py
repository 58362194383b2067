"""G.711: the compiled codec against the reference, and the reference against the recommendation."""

import numpy as np

from media.codec import g711, g711_ref

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int16)
EVERY_CODE = np.arange(256, dtype=np.uint8)


def test_ulaw_of_every_sample_equals_the_reference() -> None:
    assert g711.encode_ulaw(EVERY_SAMPLE) == g711_ref.encode_ulaw(EVERY_SAMPLE).tobytes()


def test_alaw_of_every_sample_equals_the_reference() -> None:
    assert g711.encode_alaw(EVERY_SAMPLE) == g711_ref.encode_alaw(EVERY_SAMPLE).tobytes()


def test_every_code_of_both_laws_decodes_as_the_reference() -> None:
    codes = EVERY_CODE.tobytes()
    assert g711.decode_ulaw(codes) == g711_ref.decode_ulaw(EVERY_CODE).tobytes()
    assert g711.decode_alaw(codes) == g711_ref.decode_alaw(EVERY_CODE).tobytes()


def test_decoded_values_are_those_of_the_tables_of_the_recommendation() -> None:
    """G.711 tables 1a and 2a: decoder output values, in the 13- and 14-bit units of the tables."""
    ulaw = g711_ref.decode_ulaw(EVERY_CODE).astype(int) // 4
    alaw = g711_ref.decode_alaw(EVERY_CODE).astype(int) // 8
    assert [ulaw[code] for code in (0x80, 0x8F, 0x9F, 0xAF, 0xBF, 0xCF, 0xDF, 0xEF, 0xFE, 0xFF)] == [
        8031, 4191, 2079, 1023, 495, 231, 99, 33, 2, 0,
    ]  # fmt: skip
    assert [alaw[code ^ 0x55] for code in (0xFF, 0xF0, 0xE0, 0xD0, 0xC0, 0xB0, 0xA0, 0x90, 0x81, 0x80)] == [
        4032, 2112, 1056, 528, 264, 132, 66, 33, 3, 1,
    ]  # fmt: skip


def test_encoding_what_was_decoded_gives_the_same_code_back() -> None:
    plus_and_minus_zero = {0x7F, 0xFF}
    for code in range(256):
        sample = np.frombuffer(g711.decode_alaw(bytes([code])), dtype=np.int16)
        assert g711.encode_alaw(sample)[0] == code
        sample = np.frombuffer(g711.decode_ulaw(bytes([code])), dtype=np.int16)
        back = g711.encode_ulaw(sample)[0]
        assert back == code or {back, code} == plus_and_minus_zero


def test_the_error_of_a_coded_sample_is_at_most_half_a_step() -> None:
    for decoded in (g711.decode_ulaw(g711.encode_ulaw(EVERY_SAMPLE)), g711.decode_alaw(g711.encode_alaw(EVERY_SAMPLE))):
        values = np.frombuffer(decoded, dtype=np.int16).astype(int)
        loud = np.abs(EVERY_SAMPLE.astype(int))
        clipped = loud > 32635
        assert np.all(np.abs(values - EVERY_SAMPLE)[~clipped] <= np.maximum(16, loud[~clipped] / 32 + 8))


def test_transcoding_tables_equal_decoding_and_encoding() -> None:
    codes = EVERY_CODE.tobytes()
    ulaw = np.frombuffer(g711.decode_ulaw(codes), dtype=np.int16)
    alaw = np.frombuffer(g711.decode_alaw(codes), dtype=np.int16)
    assert g711.ulaw_to_alaw(codes) == g711.encode_alaw(ulaw)
    assert g711.alaw_to_ulaw(codes) == g711.encode_ulaw(alaw)
