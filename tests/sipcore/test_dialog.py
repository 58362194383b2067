"""Dialogs: RFC 3261 §12."""

import pytest

from sipcore.build import response_to
from sipcore.dialog.dialog import CSeqVerdict, Dialog
from sipcore.message import Request, Response
from sipcore.parse import parse_message
from tests.support.stranger import UDP, text

ROUTES = "Record-Route: <sip:p3;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\n"


def message(method: str = "INVITE", **fields: str) -> Request:
    found = parse_message(text(method, **fields).encode())
    assert isinstance(found, Request)
    return found


def answered(request: Request, *extra: tuple[str, str]) -> Response:
    return response_to(request, 200, to_tag="t", extra=extra)


def test_the_callees_dialog() -> None:
    request = message(cseq="314 INVITE", extra=ROUTES)
    dialog = Dialog.as_uas(request, "mine", UDP)
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ("c1", "mine", "f")
    assert (dialog.local, dialog.remote) == ("<sip:101@10.0.0.1>;tag=mine", "<sip:x@10.0.0.9>;tag=f")
    assert str(dialog.remote_target) == "sip:x@10.0.0.9"
    assert dialog.route_set == ("<sip:p3;lr>", "<sip:p2;lr>", "<sip:p1;lr>")
    assert dialog.remote_cseq == 314
    first = dialog.request("BYE")
    assert (str(first.cseq), first.from_.tag, first.to.tag) == ("1 BYE", "mine", "f")


def test_the_callers_dialog() -> None:
    request = message(cseq="314 INVITE", extra=ROUTES)
    dialog = Dialog.as_uac(request, answered(request, ("Contact", "<sip:callee@h:5070>")), UDP)
    assert (dialog.local_tag, dialog.remote_tag, dialog.local_cseq) == ("f", "t", 314)
    assert str(dialog.remote_target) == "sip:callee@h:5070"
    assert dialog.route_set == ("<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>")  # reversed (§12.1.2)
    assert dialog.check(message("BYE", cseq="0 BYE")) is CSeqVerdict.NEXT


def test_numbers_grow_by_one_and_an_ack_has_that_of_its_invite() -> None:
    request = message()
    dialog = Dialog.as_uac(request, answered(request), UDP)
    assert [dialog.request("INFO").cseq.number for _ in range(3)] == [2, 3, 4]
    assert str(dialog.ack(1).cseq) == "1 ACK"
    assert dialog.request("BYE").cseq.number == 5


def test_loose_routing_addresses_the_target_and_lists_the_route_set() -> None:
    request = message(extra=ROUTES)
    bye = Dialog.as_uas(request, "mine", UDP).request("BYE")
    assert str(bye.uri) == "sip:x@10.0.0.9"
    assert bye.headers.values("route") == ["<sip:p3;lr>", "<sip:p2;lr>", "<sip:p1;lr>"]


def test_strict_routing_addresses_the_first_route_and_lists_the_target_last() -> None:
    """§12.2.1.1: a proxy of RFC 2543 comes first; an `lr` in its user part is no `lr`."""
    request = message(extra="Record-Route: <sip:a;lr@p1.example.com>, <sip:p2;lr>\r\n")
    bye = Dialog.as_uas(request, "mine", UDP).request("BYE")
    assert str(bye.uri).endswith("@p1.example.com")
    assert bye.headers.values("route") == ["<sip:p2;lr>", "<sip:x@10.0.0.9>"]


@pytest.mark.parametrize(
    ("number", "verdict"), [(9, CSeqVerdict.OLD), (10, CSeqVerdict.NEXT), (4000, CSeqVerdict.NEXT)]
)
def test_order_of_numbers(number: int, verdict: CSeqVerdict) -> None:
    dialog = Dialog.as_uas(message(cseq="10 INVITE"), "mine", UDP)
    assert dialog.check(message("BYE", cseq=f"{number} BYE")) is verdict
    assert dialog.remote_cseq == max(number, 10)


def test_a_target_moves_with_the_contact_and_stays_without_one() -> None:
    dialog = Dialog.as_uas(message(), "mine", UDP)
    moved = message()
    moved.headers.set("contact", "<sip:x@elsewhere>")
    dialog.refresh_target(moved)
    assert str(dialog.remote_target) == "sip:x@elsewhere"
    for useless in ("*", "<sip:broken", ""):
        moved.headers.set("contact", useless)
        dialog.refresh_target(moved)
    moved.headers.remove("contact")
    dialog.refresh_target(moved)
    assert str(dialog.remote_target) == "sip:x@elsewhere"


@pytest.mark.parametrize("contact", ["<sip:broken", "*", '"'])
def test_a_2xx_whose_contact_is_useless_leaves_the_address_that_was_called(contact: str) -> None:
    request = message()
    dialog = Dialog.as_uac(request, answered(request, ("Contact", contact)), UDP)
    assert dialog.remote_target == request.uri


def test_a_2xx_with_unreadable_routes_has_none() -> None:
    request = message()
    dialog = Dialog.as_uac(request, answered(request, ("Record-Route", "nonsense")), UDP)
    assert dialog.route_set == ()


def test_a_peer_of_rfc_2543_has_no_tag() -> None:
    request = message()
    dialog = Dialog.as_uac(request, response_to(request, 200), UDP)
    assert dialog.remote_tag == ""
    assert dialog.request("BYE").to.tag is None
