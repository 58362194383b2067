"""Flow tokens: the path comes back, a changed token does not, a connection of an earlier run is gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.flow import Flow
from sipcore.proxy.token import FlowTokens
from sipcore.uri import SipUri

KEY = bytes(range(32))
TOKENS = FlowTokens(KEY, "run1")
UDP = Flow("UDP", ("10.0.0.1", 5060), ("192.0.2.7", 40000), 3)
TLS = Flow("TLS", ("2001:db8::1", 5061), ("2001:db8::7", 40000), 17)


def test_a_path_of_datagrams_survives_a_restart() -> None:
    assert FlowTokens(KEY, "run2").open(TOKENS.seal(UDP)) == Flow(UDP.transport, UDP.local, UDP.remote, 0)


def test_a_connection_is_the_very_same_or_none() -> None:
    token = TOKENS.seal(TLS)
    assert TOKENS.open(token) == TLS
    later = FlowTokens(KEY, "run2").open(token)
    assert later is not None
    assert later.id == -1


def test_a_token_is_fit_for_a_uri() -> None:
    token = TOKENS.seal(TLS)
    assert SipUri.parse(f"sip:{token}@10.0.0.1;lr").user == token


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_a_changed_token_is_none_of_ours(at: int) -> None:
    token = TOKENS.seal(TLS)
    other = "A" if token[at] != "A" else "B"
    assert TOKENS.open(token[:at] + other + token[at + 1 :]) is None
    assert FlowTokens(KEY[::-1], "run1").open(token) is None


@given(st.text(max_size=80))
def test_any_text_is_a_flow_or_none(text: str) -> None:
    assert TOKENS.open(text) is None
