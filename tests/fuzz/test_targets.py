"""Every parser: its seeds, everything that ever broke it, and thousands of mutations of them, each in little time.

`make fuzz` looks deeper (coverage-guided); what it finds becomes a file of `tests/vectors/fuzz` and runs here for ever.
"""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import findings, seeds
from tests.fuzz.targets import TARGETS

PIECES = (
    *(b'"', b"\\", b"<", b">", b";", b",", b"=", b"@", b":", b"?", b"&", b"%", b"%00", b"%0d%0a", b" ", b"\t", b"\0"),
    *(b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\r\n", b"\x7f", b"\xff", b"\xc3\xa9", b"\xed\xb2\x80", b"\xe2\x80\xa8"),
    *(
        b"[",
        b"]",
        b"[::1]",
        b"(",
        b")",
        b"*",
        b"/",
        b"0",
        b"-1",
        b"4294967296",
        b"99999999999999999999999",
        b"\x81\x80",
    ),
    *(b"sip:", b"sips:", b"tel:", b";tag=", b";lr", b";branch=z9hG4bK", b";received=", b";rport", b"Via: ", b"v:"),
    *(
        b"Content-Length: 5\r\n",
        b"l: x\r\n",
        b"m=audio 1 RTP/AVP 0\r\n",
        b"a=rtpmap:0 a/8000\r\n",
        b"v=0\r\n",
        b"Digest ",
    ),
)
MOST_S = 0.1  # of CPU time for one small input: a hundred times what it needs


@st.composite
def mutations(draw: st.DrawFn, target: str) -> bytes:
    """A seed with pieces put in, cut out, doubled, or taken from another seed."""
    pool = seeds(target)
    data = bytearray(draw(st.sampled_from(pool)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 40)))
        kind = draw(st.sampled_from(("insert", "replace", "cut", "double", "splice")))
        if kind == "insert":
            data[at:at] = draw(st.sampled_from(PIECES))
        elif kind == "replace":
            data[at:end] = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)))
        elif kind == "cut":
            del data[at:end]
        elif kind == "double":
            data[at:at] = data[at:end] * draw(st.integers(1, 8))
        else:
            other = draw(st.sampled_from(pool))
            data[at:] = other[draw(st.integers(0, len(other))) :]
    return bytes(data)


def run(target: str, data: bytes) -> None:
    """What takes long by its nature does so twice; the garbage collector comes once."""
    assert _cost_s(target, data) < MOST_S or _cost_s(target, data) < MOST_S


def _cost_s(target: str, data: bytes) -> float:
    begun = time.process_time()
    TARGETS[target](data)
    return time.process_time() - begun


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_findings_do_no_harm(target: str) -> None:
    for data in [*seeds(target), b"", b"\0", b"\r\n\r\n", b"\xff" * 300]:
        run(target, data)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_mutations_do_no_harm(target: str, data: st.DataObject) -> None:
    run(target, data.draw(mutations(target)))


def test_findings_belong_to_targets() -> None:
    assert all(isinstance(findings(target), list) for target in TARGETS)
