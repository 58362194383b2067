"""GRUUs (RFC 5627): what is made is read again, nothing else is; temporary ones hide and end with the registration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.register.gruu import PREFIX, Addressee, Gruus
from sipcore.uri import SipUri

GRUUS = Gruus(bytes(range(32)))
AOR = SipUri.parse("sip:101@Office.example:5070;transport=tcp")
URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


def test_a_public_one_names_number_and_instance() -> None:
    uri = SipUri.parse(str(GRUUS.public(AOR, URN)))
    assert str(uri) == f"sip:101@office.example:5070;gr={URN}"
    found = GRUUS.read(uri)
    assert found == Addressee("101", URN)
    assert found.fits(URN, "any")
    assert not found.fits("urn:uuid:other", "any")
    assert not found.fits(None, "any")


def test_a_temporary_one_hides_both_and_is_another_each_time() -> None:
    first, second = (GRUUS.temporary(AOR, URN, "call-1", salt) for salt in ("a", "b"))
    assert str(first) != str(second)
    assert "101" not in (first.user or "")[:6]
    assert URN not in str(first)
    for each in (first, second):
        found = GRUUS.read(SipUri.parse(str(each)))
        assert found is not None
        assert found.number == "101"
        assert found.fits(URN, "call-1")
        assert not found.fits(URN, "call-2")  # a registration that began anew
        assert not found.fits("urn:uuid:other", "call-1")


def test_it_outlives_a_restart_with_the_same_key_only() -> None:
    uri = GRUUS.temporary(AOR, URN, "call-1", "a")
    again = Gruus(bytes(range(32))).read(uri)
    assert again is not None
    assert again.number == "101"
    assert Gruus(bytes(32)).read(uri) is None


def test_a_plain_uri_names_any_phone() -> None:
    found = GRUUS.read(SipUri.parse("sip:101@office.example"))
    assert found is not None
    assert found.is_any
    assert found.fits(None, "x")


@given(st.text(alphabet="ABCDEFabcdef0123456789-_.", max_size=80))
def test_any_other_text_is_none_of_ours(text: str) -> None:
    assert GRUUS.read(SipUri("sip", PREFIX + text, "h", None, AOR.params.without("transport").with_("gr"))) is None


@pytest.mark.parametrize("at", range(0, 42, 9))
def test_a_changed_one_is_refused(at: int) -> None:
    uri = GRUUS.temporary(AOR, URN, "call-1", "a")
    user = uri.user or ""
    place = len(PREFIX) + at
    changed = user[:place] + ("A" if user[place] != "A" else "B") + user[place + 1 :]
    assert GRUUS.read(SipUri("sip", changed, uri.host, uri.port, uri.params)) is None
