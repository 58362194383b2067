"""Documents of event packages: valid XML whatever the names hold, and what a phone reads out of them."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.flow import Flow
from sipcore.presence.conference_info import (
    Description,
    Endpoint,
    Participant,
    conference_change,
    conference_gone,
    conference_info,
)
from sipcore.presence.dialog_info import DialogParty, DialogView, dialog_info
from sipcore.presence.mwi import MessageContext, MessageCounts, message_summary
from sipcore.presence.pidf import pidf
from sipcore.presence.reginfo import reginfo
from sipcore.register.binding import Binding
from sipcore.uri import SipUri
from tests.support.watcher import DIALOG, PIDF, REGINFO, Lamp, lamps, version_of

RPID = "{urn:ietf:params:xml:ns:pidf:rpid}"
NASTY = "Иван <\"&'> ]]>\x00\x1f\ud800\uffff\r\n\t"
KEPT = "Иван <\"&'> ]]>\r\n\t"


def view(state: str = "early", *, uri: str = "sip:101@h", name: str = "", held: bool = False) -> DialogView:
    return DialogView("d1", state, "recipient", DialogParty("sip:102@h"), DialogParty(uri, name), held)


def test_an_idle_number_has_no_dialog_that_is_not_terminated() -> None:
    body = dialog_info("sip:102@h", 3, [])
    assert lamps(body) == []
    assert version_of(body) == 3
    assert ElementTree.fromstring(body).attrib["entity"] == "sip:102@h"


def test_each_dialog_is_told_with_state_direction_and_who_is_there() -> None:
    body = dialog_info("sip:102@h", 0, [view(name="Anna"), view("confirmed", held=True)])
    assert lamps(body) == [Lamp("early", "recipient", "101", "Anna"), Lamp("confirmed", "recipient", "101", "", True)]


def test_the_schema_of_rfc_4235_is_kept() -> None:
    """§4.4: state before local, local before remote; identity before target."""
    dialog = ElementTree.fromstring(dialog_info("sip:102@h", 0, [view(held=True)]))[0]
    assert [child.tag.removeprefix(DIALOG) for child in dialog] == ["state", "local", "remote"]
    assert [child.tag.removeprefix(DIALOG) for child in dialog[1]] == ["identity", "target"]
    assert dialog[1][1][0].attrib == {"pname": "+sip.rendering", "pvalue": "no"}


def test_a_nasty_name_is_escaped_and_what_xml_forbids_left_out() -> None:
    (dialog,) = lamps(dialog_info("sip:102@h", 0, [view(name=NASTY)]))
    assert dialog.name == KEPT


@given(st.text(st.characters(codec=None), max_size=50), st.text(max_size=50))
def test_any_text_makes_valid_documents(name: str, uri: str) -> None:
    lamps(dialog_info(uri, 0, [view(uri=uri, name=name)]))
    ElementTree.fromstring(pidf(uri, is_open=True, note=name))


@pytest.mark.parametrize(("is_open", "basic"), [(True, "open"), (False, "closed")])
def test_presence_says_open_or_closed(is_open: bool, basic: str) -> None:
    root = ElementTree.fromstring(pidf("sip:102@h", is_open=is_open, note="Ready"))
    assert root.findtext(f"{PIDF}tuple/{PIDF}status/{PIDF}basic") == basic
    assert root.findtext(f"{PIDF}tuple/{PIDF}note") == "Ready"
    assert root.find(f".//{RPID}on-the-phone") is None


def test_presence_says_who_is_on_the_phone() -> None:
    root = ElementTree.fromstring(pidf("sip:102@h", is_open=True, activities=("on-the-phone",)))
    assert root.find(f".//{RPID}on-the-phone") is not None
    assert root.find(f"{PIDF}tuple/{PIDF}note") is None


def test_a_message_summary_counts() -> None:
    text = message_summary("sip:102@h", {}).decode()
    assert text == "Messages-Waiting: no\r\nMessage-Account: sip:102@h\r\nVoice-Message: 0/0 (0/0)\r\n"
    waiting = {MessageContext.PAGER: MessageCounts(2, 5, 1), MessageContext.VOICE: MessageCounts(old=3)}
    assert message_summary("sip:102@h", waiting).decode().splitlines() == [
        "Messages-Waiting: yes",
        "Message-Account: sip:102@h",
        "Voice-Message: 0/3 (0/0)",
        "Pager-Message: 2/5 (1/0)",
    ]


def test_old_messages_light_no_lamp() -> None:
    text = message_summary("sip:102@h", {MessageContext.VOICE: MessageCounts(old=3)})
    assert text.startswith(b"Messages-Waiting: no\r\n")


def binding(port: int) -> Binding:
    contact = SipUri.parse(f"sip:102@10.0.0.2:{port};x=%22%3c")
    flow = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.2", port))
    return Binding(contact, 'id<&">', 7, 1060.5, 0.5, flow=flow, registered_at=990.0)


def test_registrations_are_listed_with_their_seconds() -> None:
    root = ElementTree.fromstring(reginfo("sip:102@h", 1, [binding(5060), binding(5070)], 1000.0))
    (registration,) = root
    assert registration.attrib == {"aor": "sip:102@h", "id": "aor", "state": "active"}
    first, second = registration
    assert first.attrib["id"] != second.attrib["id"]
    assert (first.attrib["expires"], first.attrib["duration-registered"], first.attrib["cseq"]) == ("61", "10", "7")
    assert first.attrib["callid"] == 'id<&">'
    assert first.findtext(f"{REGINFO}uri") == "sip:102@10.0.0.2:5060;x=%22%3c"


def test_without_a_binding_the_registration_is_terminated() -> None:
    root = ElementTree.fromstring(reginfo("sip:102@h", 1, [], 1000.0))
    assert root[0].attrib["state"] == "terminated"


CONFERENCE = "{urn:ietf:params:xml:ns:conference-info}"


AT = "2026-11-27T10:00:00Z"
ANN = Participant("sip:101@h", NASTY, (Endpoint("1", AT),))
BOB = Participant("sip:102@h", "Bob", (Endpoint("2", AT, is_muted=True), Endpoint("3", AT, is_held=True)))


def test_a_room_is_told_with_everybody_in_it() -> None:
    """RFC 4575 §5: the parts of the document and their order."""
    root = ElementTree.fromstring(conference_info("sip:800@h", 4, Description("Daily <1>", 20), [ANN, BOB]))
    assert (root.attrib["entity"], root.attrib["version"], root.attrib["state"]) == ("sip:800@h", "4", "full")
    parts = [child.tag.removeprefix(CONFERENCE) for child in root]
    assert parts == ["conference-description", "conference-state", "users"]
    description = [child.tag.removeprefix(CONFERENCE) for child in root[0]]
    assert description == ["display-text", "maximum-user-count"]
    assert root[0].findtext(f"{CONFERENCE}display-text") == "Daily <1>"
    assert root.findtext(f"{CONFERENCE}conference-state/{CONFERENCE}user-count") == "2"
    users = root.findall(f"{CONFERENCE}users/{CONFERENCE}user")
    assert [user.attrib["entity"] for user in users] == ["sip:101@h", "sip:102@h"]
    media = root.findall(f".//{CONFERENCE}media/{CONFERENCE}status")
    assert [status.text for status in media] == ["sendrecv", "recvonly", "inactive"]


def test_a_device_has_the_parts_of_the_schema_in_their_order() -> None:
    """RFC 4575 §8: endpoints of one user are told apart by their entity."""
    root = ElementTree.fromstring(conference_info("sip:800@h", 0, Description(), [BOB]))
    first, second = root.findall(f".//{CONFERENCE}endpoint")
    assert first.attrib["entity"] != second.attrib["entity"]
    parts = [child.tag.removeprefix(CONFERENCE) for child in first]
    assert parts == ["status", "joining-method", "joining-info", "media"]
    assert [each.findtext(f"{CONFERENCE}status") for each in (first, second)] == ["connected", "on-hold"]
    assert first.findtext(f"{CONFERENCE}joining-info/{CONFERENCE}when") == AT


def test_partial_state_tells_only_what_is_different() -> None:
    """RFC 4575 §4.4: a changed user whole, one who is gone as deleted, nothing of the others."""
    eve = Participant("sip:103@h", "Eve", (Endpoint("4", AT),))
    muted = Participant(ANN.uri, ANN.name, (Endpoint("1", AT, is_muted=True),))
    root = ElementTree.fromstring(conference_change("sip:800@h", 5, [muted, eve], [ANN, BOB, eve]))
    assert (root.attrib["state"], root.attrib["version"]) == ("partial", "5")
    users = root.find(f"{CONFERENCE}users")
    assert users is not None
    assert users.attrib["state"] == "partial"
    assert [(user.attrib["entity"], user.attrib["state"]) for user in users] == [
        ("sip:101@h", "full"),
        ("sip:102@h", "deleted"),
    ]
    assert root.findtext(f"{CONFERENCE}conference-state/{CONFERENCE}user-count") == "2"


def test_a_room_that_is_no_more_is_deleted() -> None:
    root = ElementTree.fromstring(conference_gone("sip:800@h", 6))
    assert (root.attrib["state"], root.attrib["version"], len(root)) == ("deleted", "6", 0)


def test_an_empty_room_is_not_active() -> None:
    root = ElementTree.fromstring(conference_info("sip:800@h", 0, Description(), []))
    assert root.findtext(f"{CONFERENCE}conference-state/{CONFERENCE}active") == "false"
    assert len(root.findall(f"{CONFERENCE}users/{CONFERENCE}user")) == 0
