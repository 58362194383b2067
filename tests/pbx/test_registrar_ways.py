"""Path, outbound, GRUU and Service-Route at the registrar (RFC 3327, 5626, 5627, 3608)."""

import asyncio
from ipaddress import ip_network

import pytest

from pbx.registrar import RegistrationExtras
from sipcore.build import response_to
from sipcore.headers import Contact, Path
from sipcore.message import Request, Response
from storage.memory import MemoryStorage
from tests.support.builders import terminal
from tests.support.office import VirtualOffice, open_office
from tests.support.referrer import Referrer
from tests.support.ua import Phone, RawPhone

URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
EDGE = "10.0.8.1"
TRUSTED = terminal("101", trust="10.0.9.9")


def behind_an_edge(office: VirtualOffice) -> None:
    office.admission.sources._edges = (ip_network(EDGE),)


def register(
    phone: RawPhone, *lines: str, via: str = "10.0.9.9", contact: str = "", cseq: int = 1, branch: str = ""
) -> bytes:
    """A REGISTER that came through an edge, which noted where from."""
    data = phone.request("REGISTER", "101", cseq, "Expires: 300", *lines, to_tag="", branch=branch)
    text = data.decode()
    head, rest = text.split("\r\n", 1)
    own, rest = rest.split("\r\n", 1)
    if contact:
        rest = "\r\n".join(f"Contact: {contact}" if each.startswith("Contact") else each for each in rest.split("\r\n"))
    hop = f"Via: SIP/2.0/UDP 192.168.0.5:5060;branch=z9hG4bKphone{cseq};received={via};rport=40000"
    return "\r\n".join([head, own, hop, rest]).encode()


async def test_the_path_of_an_edge_is_stored_told_and_used_as_route() -> None:
    storage = MemoryStorage()
    async with open_office(TRUSTED, terminal("102"), storage=storage) as office:
        behind_an_edge(office)
        edge = office.raw("101", EDGE)
        edge.send(register(edge, f"Path: <sip:token@{EDGE}:5060;lr;ob>", "Supported: path"))
        answer = await edge.expect(200)
        assert [str(each) for each in answer.headers.all(Path)] == [f"<sip:token@{EDGE}:5060;lr;ob>"]
        (binding,) = office.location.bindings("101")
        assert binding.received == ("10.0.9.9", 40000)
        caller = await office.registered("102")
        call = caller.dial("101")
        invite = await edge.expect_request("INVITE")
        assert invite.headers.values("route") == [f"<sip:token@{EDGE}:5060;lr;ob>"]
        assert str(invite.uri) == "sip:101@10.0.8.1:5060"
        call.hangup()
        await call.until_over()
    async with open_office(TRUSTED, storage=storage) as again:
        assert await again.location.restore() == 2
        (target,) = again.location.targets(TRUSTED)
        assert (target.flow.remote, target.peer_host) == ((EDGE, 5060), "10.0.9.9")
        assert target.routes == (f"<sip:token@{EDGE}:5060;lr;ob>",)


async def test_a_path_of_anybody_else_is_refused() -> None:
    async with open_office(TRUSTED) as office:
        phone = office.raw("101", "10.0.9.9")
        phone.send(phone.request("REGISTER", "101", 1, "Path: <sip:victim@192.0.2.1;lr>", to_tag=""))
        answer = await phone.expect(420)
        assert answer.headers.get("unsupported") == "path"
        assert office.location.bindings("101") == ()


async def test_who_is_behind_an_edge_is_judged_by_its_own_address() -> None:
    async with open_office(TRUSTED) as office:
        behind_an_edge(office)
        edge = office.raw("101", EDGE)
        edge.send(register(edge, f"Path: <sip:t@{EDGE};lr>", via="10.0.9.8"))
        await edge.expect(401)
        stranger = office.raw("101", "10.0.9.77")  # no edge, but says that it is one
        stranger.send(register(stranger, f"Path: <sip:t@{EDGE};lr>"))
        await stranger.expect(401)


def flow_contact(phone: RawPhone, reg_id: int) -> str:
    host, port = phone.address
    return f'<sip:101@{host}:{port}>;+sip.instance="<{URN}>";reg-id={reg_id}'


async def outbound(phone: RawPhone, reg_id: int, cseq: int = 1) -> Response:
    data = phone.request("REGISTER", "101", cseq, "Expires: 300", "Supported: outbound, path", to_tag="")
    plain = f"Contact: <sip:101@{phone.address[0]}:5060>"
    phone.send(data.replace(plain.encode(), b"Contact: " + flow_contact(phone, reg_id).encode()))
    return await phone.expect_final()


async def test_an_outbound_registration_is_confirmed_and_keeps_one_binding_a_flow() -> None:
    async with open_office(terminal("101", trust="10.0.9.0/24")) as office:
        office.registrar._extras = RegistrationExtras(flow_timer_s=90)
        one, two = office.raw("101", "10.0.9.1"), office.raw("101", "10.0.9.2")
        for phone, reg_id in ((one, 1), (two, 2)):
            answer = await outbound(phone, reg_id)
            assert answer.headers.get("require") == "outbound"
            assert answer.headers.get("flow-timer") == "90"
        assert [binding.reg_id for binding in office.location.bindings("101")] == [1, 2]
        (target,) = office.location.targets(terminal("101"))
        assert len(target.others) == 1


async def test_without_support_for_outbound_the_reg_id_means_nothing() -> None:
    async with open_office(TRUSTED) as office:
        phone = office.raw("101", "10.0.9.9")
        data = phone.request("REGISTER", "101", 1, "Expires: 300", to_tag="")
        phone.send(data.replace(b"Contact: <sip:101@10.0.9.9:5060>", b"Contact: " + flow_contact(phone, 1).encode()))
        answer = await phone.expect(200)
        assert answer.headers.get("require") is None
        assert office.location.bindings("101")[0].reg_id is None


@pytest.mark.parametrize(("path", "status"), [("", 439), (";ob", 200)])
async def test_the_first_hop_has_to_keep_flows(path: str, status: int) -> None:
    async with open_office(TRUSTED) as office:
        behind_an_edge(office)
        edge = office.raw("101", EDGE)
        lines = (f"Path: <sip:t@{EDGE};lr{path}>", "Supported: outbound, path")
        edge.send(register(edge, *lines, contact=flow_contact(edge, 1)))
        answer = await edge.expect_final()
        assert answer.status == status
        assert answer.headers.get("flow-timer") is None  # that is the first hop's affair


async def test_two_flows_in_one_request_are_refused() -> None:
    async with open_office(TRUSTED) as office:
        phone = office.raw("101", "10.0.9.9")
        both = f"{flow_contact(phone, 1)}, {flow_contact(phone, 2)}"
        data = phone.request("REGISTER", "101", 1, "Supported: outbound", to_tag="")
        phone.send(data.replace(b"Contact: <sip:101@10.0.9.9:5060>", b"Contact: " + both.encode()))
        await phone.expect(400)


async def test_a_dead_flow_is_followed_by_the_next_one_of_the_same_phone() -> None:
    async with open_office(terminal("101", trust="10.0.9.0/24"), terminal("102")) as office:
        one, two = office.raw("101", "10.0.9.1"), office.raw("101", "10.0.9.2")
        await outbound(one, 1)
        await asyncio.sleep(1)
        await outbound(two, 2)
        caller = await office.registered("102")
        call = caller.dial("101")
        invite = await two.expect_request("INVITE")
        assert not [each for each in one.received if getattr(each, "method", "") == "INVITE"]
        two.send(refusal(invite, 430))
        second = await one.expect_request("INVITE")
        assert second.body
        one.send(refusal(second, 486))
        assert await call.until_over() == 486
        assert [binding.reg_id for binding in office.location.bindings("101")] == [1]  # the other is gone for good


def refusal(invite: Request, status: int) -> bytes:
    return bytes(response_to(invite, status, to_tag="t"))


async def test_a_call_to_a_gruu_rings_that_phone_and_no_other() -> None:
    async with open_office(terminal("101", max_contacts=3), terminal("102")) as office:
        other, mine = await office.registered("101", "10.0.2.1"), office.phone("101", "10.0.2.2")
        where = f'{mine.contact};+sip.instance="<{URN}>"'
        mine_answer = await gruu_register(mine, where)
        (contact,) = [each for each in mine_answer.headers.all(Contact) if each.instance == URN]
        public, temporary = contact.params.get("pub-gruu"), contact.params.get("temp-gruu")
        assert public == f"sip:101@10.0.0.1;gr={URN}"
        assert temporary is not None
        caller = await office.registered("102")
        for uri in (public, temporary):
            call = caller.dial_uri(uri)
            (await mine.rung()).reject(486)
            assert await call.until_over() == 486
        assert not other.is_ringing
        call = caller.dial_uri("sip:101@10.0.0.1;gr=urn:uuid:nobody")
        assert await call.until_over() == 480
        call = caller.dial_uri("sip:tgruu.AAAA@10.0.0.1;gr")
        assert await call.until_over() == 404


async def test_a_transfer_to_a_gruu_rings_that_phone_and_no_other() -> None:
    async with open_office(terminal("101", max_contacts=3), terminal("102"), terminal("103")) as office:
        other, mine = await office.registered("101", "10.0.2.1"), office.phone("101", "10.0.2.2")
        await mine.register(contact=f'{mine.contact};+sip.instance="<{URN}>"')
        a, b = await office.registered("102"), await office.registered("103")
        call, ring = await office.connect(a, b)
        referrer = Referrer(a)
        answer = await referrer.refer(call, f"<sip:101@10.0.0.1;gr={URN}>")
        assert answer.status == 202
        (await mine.rung()).answer()
        assert await referrer.until_told() == 200
        assert not other.is_ringing
        await asyncio.sleep(1)
        ring.hangup()


async def gruu_register(phone: Phone, contact: str) -> Response:
    answer = await phone.register(contact=contact)
    assert answer.status == 200
    assert "pub-gruu" not in (answer.headers.get("contact") or "")  # it did not say that it knows them
    phone._cseq += 1
    extra: list[tuple[str, object]] = [("Contact", contact), ("Supported", "gruu")]
    answer = await phone.ask("REGISTER", "sip:10.0.0.1", phone.aor, extra, authorize=True)
    assert answer.status == 200
    return answer


async def test_a_service_route_is_told() -> None:
    async with open_office(terminal("101")) as office:
        office.registrar._extras = RegistrationExtras(service_routes=("<sip:edge.example;lr>",))
        answer = await office.phone("101").register()
        assert answer.headers.values("service-route") == ["<sip:edge.example;lr>"]
        assert answer.headers.get("flow-timer") is None
