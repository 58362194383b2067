"""Published presence: what is read of a document, and the rules of PUBLISH."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import ParseError
from sipcore.presence.pidf import pidf
from sipcore.presence.pidf_read import (
    KNOWN_ACTIVITIES,
    MOST_BYTES,
    MOST_NOTE,
    PublishedPresence,
    composed,
    parse_pidf,
)
from sipcore.presence.publication import MOST, Publication, PublicationPolicy, PublishResult, apply_publish

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><presence xmlns="urn:ietf:params:xml:ns:pidf" '
    'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:a@b">'
)
AWAY = PublishedPresence(True, ("away",), "Lunch")


def presence(inside: str) -> bytes:
    return f"{HEAD}{inside}</presence>".encode()


@pytest.mark.parametrize(
    ("inside", "state"),
    [
        ("", PublishedPresence()),
        ('<tuple id="a"><status><basic>open</basic></status></tuple>', PublishedPresence(True)),
        ('<tuple id="a"><status><basic> closed\n</basic></status></tuple>', PublishedPresence(False)),
        (
            '<tuple id="a"><status><basic>closed</basic></status></tuple>'
            '<tuple id="b"><status><basic>open</basic></status><note>Hi</note></tuple>',
            PublishedPresence(True, (), "Hi"),
        ),
        (
            "<tuple id='a'><status/></tuple><note>Ядро &lt;1&gt;\n two</note>",
            PublishedPresence(None, (), "Ядро <1> two"),
        ),
        (
            "<dm:person><r:activities><r:away/><r:busy/><r:unknown/><r:weird/><r:away/></r:activities>"
            "<dm:note>N</dm:note></dm:person>",
            PublishedPresence(None, ("away", "busy"), "N"),
        ),
        ("<dm:person><activities><away/></activities></dm:person>", PublishedPresence()),
        ("<x:y xmlns:x='urn:x'><basic>perhaps</basic></x:y>", PublishedPresence()),
        ("<tuple id='a'><note>one<b/>two</note></tuple>", PublishedPresence(note="two")),
        (f"<note>{'x' * 500}</note>", PublishedPresence(note="x" * MOST_NOTE)),
    ],
)
def test_what_a_document_says(inside: str, state: PublishedPresence) -> None:
    assert parse_pidf(presence(inside)) == state


BOMB = "".join(f'<!ENTITY e{n} "&e{n - 1};&e{n - 1};&e{n - 1};">' for n in range(1, 30))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"hello", 400),
        (b"<presence/>", 400),
        (presence("")[:-3], 400),
        (presence("") + b"x", 400),
        (presence("<tuple id='a'><status><basic>perhaps</basic></status></tuple>"), 400),
        (presence("<a>" * 20 + "</a>" * 20), 400),
        (b'<!DOCTYPE presence [<!ENTITY e0 "x">' + BOMB.encode() + b"]>" + presence("<note>&e29;</note>"), 400),
        (b'<!DOCTYPE p SYSTEM "file:///etc/passwd">' + presence(""), 400),
        (presence("&undefined;"), 400),
        (b"\xff\xfe" + presence(""), 400),
        (presence("").replace(b"UTF-8", b"UTF-99"), 400),
        (presence("<note>\xff</note>").replace("\xff".encode(), b"\xff"), 400),
        (presence("<note>" + "x" * MOST_BYTES + "</note>"), 413),
    ],
)
def test_what_is_no_presence_document_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(ParseError) as refused:
        parse_pidf(body)
    assert refused.value.status == status


@given(st.binary(max_size=300))
def test_any_octets_are_a_document_or_refused(body: bytes) -> None:
    for each in (body, presence("") + body, presence(body.decode("latin-1"))):
        try:
            parse_pidf(each)
        except ParseError:
            continue


def test_the_longest_document_is_read_in_no_time() -> None:
    filler = b"<note>" + b"&amp;" * ((MOST_BYTES - 500) // 5) + b"</note>"
    started = time.process_time()
    parse_pidf(HEAD.encode() + filler + b"</presence>")
    assert time.process_time() - started < 0.05


@given(
    st.booleans(),
    st.lists(st.sampled_from(sorted(KNOWN_ACTIVITIES)), max_size=4, unique=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), max_size=20),
)
def test_our_own_documents_are_read_back(is_open: bool, activities: list[str], note: str) -> None:
    read = parse_pidf(pidf("sip:102@h", is_open=is_open, activities=activities, note=note))
    assert (read.is_open, read.activities) == (is_open, tuple(activities))
    assert read.note.isascii() is False or read.note == note


def test_several_devices_are_one_user() -> None:
    closed, away = PublishedPresence(False, ("meeting",)), AWAY
    assert composed([]) == PublishedPresence()
    assert composed([closed]) == closed
    assert composed([closed, away]) == PublishedPresence(True, ("meeting", "away"), "Lunch")
    assert composed([closed, PublishedPresence(None, ("meeting",), "x")]) == PublishedPresence(False, ("meeting",), "x")


# --- the rules ------------------------------------------------------------------------------------------------------

NOW = 1000.0
OLD = Publication("old", AWAY, NOW + 100, "desk")


def publish(
    *publications: Publication,
    if_match: str | None = None,
    state: PublishedPresence | None = None,
    expires: int | None = 600,
    source: str = "desk",
) -> PublishResult:
    return apply_publish(
        publications,
        if_match=if_match,
        state=state,
        expires=expires,
        etag="new",
        source=source,
        now=NOW,
        policy=PublicationPolicy(),
    )


def test_a_first_publication_is_kept_for_its_lifetime() -> None:
    assert publish(state=AWAY) == PublishResult(200, (Publication("new", AWAY, NOW + 600, "desk"),), 600)
    assert publish(state=AWAY, expires=None).lifetime_s == 1800
    assert publish(state=AWAY, expires=2**32).lifetime_s == 3600
    assert publish(state=AWAY, expires=0) == PublishResult(200, ())


def test_a_refresh_keeps_the_state_under_a_new_name() -> None:
    assert publish(OLD, if_match="old") == PublishResult(200, (Publication("new", AWAY, NOW + 600, "desk"),), 600)


def test_a_change_replaces_the_state_and_no_others() -> None:
    other, changed = Publication("o", AWAY, NOW + 50, "soft"), PublishedPresence(False)
    result = publish(other, OLD, if_match="old", state=changed)
    assert result.publications == (Publication("new", changed, NOW + 600, "desk"), other)


def test_a_removal_takes_one_away() -> None:
    other = Publication("o", AWAY, NOW + 50, "soft")
    assert publish(other, OLD, if_match="old", expires=0) == PublishResult(200, (other,))


@pytest.mark.parametrize("if_match", ["unknown", "gone"])
def test_a_name_that_is_not_known_or_has_expired_fails_the_condition(if_match: str) -> None:
    gone = Publication("gone", AWAY, NOW, "desk")
    assert publish(OLD, gone, if_match=if_match, state=AWAY) == PublishResult(412, (OLD,))


def test_too_brief_and_too_empty_is_refused() -> None:
    assert publish(state=AWAY, expires=59).status == 423
    assert publish(OLD, if_match="old", expires=1) == PublishResult(423, (OLD,))
    assert publish().status == 400


def test_a_device_that_forgot_its_publication_does_not_publish_twice() -> None:
    other = Publication("o", AWAY, NOW + 50, "soft")
    result = publish(OLD, other, state=AWAY, source="desk")
    assert [each.etag for each in result.publications] == ["new", "o"]


def test_only_so_many_devices_are_kept_the_latest_first() -> None:
    many = [Publication(f"p{at}", AWAY, NOW + 50, f"d{at}") for at in range(MOST)]
    result = publish(*many, state=AWAY)
    assert [each.etag for each in result.publications] == ["new", *(f"p{at}" for at in range(MOST - 1))]
