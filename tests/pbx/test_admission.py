"""Who is let in: digest, trust, network filter, transport, guessing. Seen from the wire."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from pbx.account_failures import MOST_SOURCES, AccountFailures
from pbx.admission import Denied
from pbx.border import NOT_FROM_THERE, NUMBER_FOR_LOGIN, WRONG_PASSWORD
from pbx.directory import Directory
from sipcore.auth.digest import answer
from sipcore.auth.nonce import NonceMaker
from sipcore.flow import Flow
from sipcore.headers import WwwAuthenticate
from sipcore.message import Request, Response
from sipcore.parse import parse_message
from storage.records import NetworkFilter, Office, Terminal
from tests.support.builders import sdp, terminal
from tests.support.office import REALM, VirtualOffice, open_office
from tests.support.ua import RawPhone

HOST = "10.0.9.9"


class Client:
    """Sends REGISTERs whose every part can be wrong."""

    def __init__(self, office: VirtualOffice, number: str = "101", host: str = HOST) -> None:
        self.raw: RawPhone = office.raw(number, host)
        self.number, self.cseq, self.nc = number, 0, 0
        self.challenge: WwwAuthenticate | None = None

    async def register(self, *extra: str) -> Response:
        self.cseq += 1
        self.raw.send(self.raw.request("REGISTER", self.number, self.cseq, "Expires: 300", *extra, to_tag=""))
        return await self.answer()

    async def answer(self) -> Response:
        async with asyncio.timeout(5):
            while True:
                message = await self.raw._inbox.get()
                if isinstance(message, Response) and message.cseq.number == self.cseq:
                    return message

    def credentials(
        self, password: str, *, user: str = "", algorithm: str = "SHA-256", method: str = "REGISTER", nc: int = 0
    ) -> str:
        assert self.challenge is not None
        challenge = WwwAuthenticate.parse(str(self.challenge).replace("SHA-256", algorithm))
        self.nc = nc or self.nc + 1
        uri = "sip:101@10.0.0.1"
        found = answer(challenge, user or self.number, password, method, uri, "abc", self.nc)
        return f"Authorization: {found}"

    def learn(self, response: Response) -> WwwAuthenticate:
        self.challenge = response.headers.all(WwwAuthenticate)[0]
        self.nc = 0
        return self.challenge

    async def challenged(self) -> WwwAuthenticate:
        response = await self.register()
        assert response.status == 401
        return self.learn(response)


def is_challenge(response: Response) -> bool:
    return response.status == 401 and len(response.headers.all(WwwAuthenticate)) == 2


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_phone_registers_with_either_algorithm(algorithm: str) -> None:
    async with open_office(terminal("101")) as office:
        phone = office.phone("101", algorithm=algorithm)
        assert (await phone.register()).status == 200
        sent = phone.sent[-1].headers.get("authorization") or ""
        assert f"algorithm={algorithm}" in sent


async def test_the_challenge_offers_sha_256_first_then_md5_with_nonces_that_differ_each_time() -> None:
    async with open_office(terminal("101")) as office:
        client = Client(office)
        responses = [await client.register() for _ in range(2)]
        for response in responses:
            offered = response.headers.all(WwwAuthenticate)
            assert [(each.algorithm, each.realm, each.qop) for each in offered] == [
                ("SHA-256", REALM, ("auth",)),
                ("MD5", REALM, ("auth",)),
            ]
        assert len({each.headers.all(WwwAuthenticate)[0].nonce for each in responses}) == 2


def normalised(response: Response, client: Client) -> str:
    """The bytes of a response without what differs by nature: the nonce, and what the request itself brought."""
    text = bytes(response).decode()
    for each in response.headers.all(WwwAuthenticate):
        text = text.replace(each.nonce, "N")
    for name in ("via", "call-id", "cseq", "from", "to"):
        text = text.replace(response.headers.get(name) or "", name)
    return text.replace(client.number, "NUMBER")


async def test_an_unknown_user_gets_to_the_byte_what_a_wrong_password_gets() -> None:
    async with open_office(terminal("101"), terminal("102", disabled=True), terminal("103", password="")) as office:
        seen = set()
        for number, host in (("101", "10.0.9.1"), ("102", "10.0.9.2"), ("103", "10.0.9.3"), ("999", "10.0.9.4")):
            client = Client(office, number, host)
            first = await client.register()
            client.learn(first)
            second = await client.register(client.credentials("wrong"))
            empty = await client.register(client.credentials(""))
            seen |= {normalised(each, client) for each in (first, second, empty)}
        assert len(seen) == 1, seen


async def test_a_wrong_password_a_foreign_realm_and_another_method_are_challenged_again() -> None:
    async with open_office(terminal("101")) as office:
        client = Client(office)
        await client.challenged()
        assert is_challenge(await client.register(client.credentials("wrong")))
        assert is_challenge(await client.register(client.credentials("Secret-101", method="INVITE")))
        foreign = client.credentials("Secret-101").replace(REALM, "elsewhere.example")
        assert is_challenge(await client.register(foreign))
        assert (await client.register(client.credentials("Secret-101"))).status == 200


async def test_a_foreign_nonce_is_refused_as_stale_and_never_let_in() -> None:
    async with open_office(terminal("101")) as office:
        client = Client(office)
        await client.challenged()
        assert client.challenge is not None
        ours = client.challenge.nonce
        forged = NonceMaker(b"another key, of somebody else...").make(office.clock.wall(), "salt")
        client.challenge = WwwAuthenticate.parse(str(client.challenge).replace(ours, forged))
        response = await client.register(client.credentials("Secret-101"))
        assert is_challenge(response)
        assert all(each.stale for each in response.headers.all(WwwAuthenticate))
        assert office.location.bindings("101") == ()


async def test_an_old_nonce_is_stale_and_the_new_challenge_says_so() -> None:
    async with open_office(terminal("101")) as office:
        client = Client(office)
        await client.challenged()
        await asyncio.sleep(70)
        response = await client.register(client.credentials("Secret-101"))
        assert is_challenge(response)
        assert all(each.stale for each in response.headers.all(WwwAuthenticate))
        client.learn(response)
        assert (await client.register(client.credentials("Secret-101"))).status == 200
        guessed = await client.register(client.credentials("wrong"))
        assert not any(each.stale for each in guessed.headers.all(WwwAuthenticate)), "wrong is not stale"


async def test_a_replayed_nonce_count_is_refused_and_a_higher_one_accepted() -> None:
    async with open_office(terminal("101")) as office:
        client = Client(office)
        await client.challenged()
        assert (await client.register(client.credentials("Secret-101", nc=1))).status == 200
        assert is_challenge(await client.register(client.credentials("Secret-101", nc=1)))
        assert (await client.register(client.credentials("Secret-101", nc=2))).status == 200
        assert is_challenge(await client.register(client.credentials("Secret-101", nc=1)))


async def test_the_same_credentials_without_qop_are_good_once() -> None:
    async with open_office(terminal("101")) as office:
        client = Client(office)
        challenge = await client.challenged()
        client.challenge = WwwAuthenticate.parse(str(challenge).replace(', qop="auth"', ""))
        credentials = client.credentials("Secret-101")
        assert "qop" not in credentials
        assert (await client.register(credentials)).status == 200
        assert is_challenge(await client.register(credentials))


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Digest",
        "Authorization: Basic dXNlcjpwYXNz",
        'Authorization: Digest username="101"',
        f'Authorization: Digest username="101", realm="{REALM}", nonce="", uri="sip:x", response=""',
        f'Authorization: Digest username="\u00e9\u0000", realm="{REALM}", nonce="\u00e9", uri="", response="\u00e9"',
        f'Authorization: Digest username="101", realm="{REALM}", nonce="a-b-c", uri="sip:x", response="0", nc=zz, '
        'qop=auth, cnonce="x"',
        f'Authorization: Digest username="101", realm="{REALM}", nonce="x", uri="sip:x", response="0", algorithm=SHA-9',
        "Authorization: \x01\x02",
    ],
)
async def test_nonsense_for_credentials_is_challenged(header: str) -> None:
    async with open_office(terminal("101")) as office:
        response = await Client(office).register(header)
        assert response.status in (400, 401)


@pytest.mark.parametrize("method", ["INVITE", "REFER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "NOTIFY", "INFO", "UPDATE"])
async def test_nobody_gets_more_than_a_challenge_without_credentials(method: str) -> None:
    async with open_office(terminal("101")) as office:
        raw = office.raw("101", HOST)
        raw.send(raw.request(method, "101", 1, branch="x"))
        response = await raw.expect(401)
        assert is_challenge(response)
        if method == "INVITE":
            raw.to_tag = response.to.tag or ""
            raw.send(raw.request("ACK", "101", 1, branch="x"))
    assert office.pbx.calls == {}


async def test_a_proven_terminal_is_told_what_is_not_done_here() -> None:
    async with open_office(terminal("101", trust=HOST)) as office:
        raw = office.raw("101", HOST)
        raw.send(raw.request("INFO", "101", 1))
        assert "INVITE" in ((await raw.expect(405)).headers.get("allow") or "")
        raw.call_id = "other"
        raw.send(raw.request("SUBSCRIBE", "101", 1, to_tag=""))
        await raw.expect(489)


async def test_options_are_answered_for_anybody_without_naming_anything() -> None:
    async with open_office(terminal("101")) as office:
        raw = office.raw("101", HOST)
        raw.send(raw.request("OPTIONS", "101", 1))
        response = await raw.expect(200)
        assert response.headers.get("accept") == "application/sdp"


async def test_a_guesser_with_a_whole_ipv6_network_is_one_source() -> None:
    async with open_office(terminal("101")) as office:
        guesser = Client(office)
        await guesser.challenged()

        def attempt(host: str) -> int:
            guesser.cseq += 1
            data = guesser.raw.request("REGISTER", "101", guesser.cseq, guesser.credentials("wrong"), to_tag="")
            request = parse_message(data)
            assert isinstance(request, Request)
            verdict = office.admission.check(request, Flow("UDP", ("2001:db8::10", 5060), (host, 5060)))
            assert isinstance(verdict, Denied)
            return verdict.status

        assert {attempt(f"2001:db8:7::{number}") for number in range(1, 11)} == {401}
        assert attempt("2001:db8:7:0:1::99") == 503
        assert attempt("2001:db8:7:1::1") == 401


async def test_guessing_slows_down_the_source_to_a_try_a_second_while_others_are_served() -> None:
    async with open_office(terminal("101"), terminal("102")) as office:
        guesser = Client(office)
        await guesser.challenged()
        for _ in range(10):
            assert (await guesser.register(guesser.credentials("wrong"))).status == 401
        slowed = await guesser.register(guesser.credentials("Secret-101"))
        assert slowed.status == 503
        assert slowed.headers.get("retry-after") == "1"
        assert (await office.phone("102").register()).status == 200
        await asyncio.sleep(1.1)
        guesser.learn(await guesser.register())
        assert (await guesser.register(guesser.credentials("Secret-101"))).status == 200


# --- trust, filters, transports ---------------------------------------------------------------------------------------


async def invite(office: VirtualOffice, number: str, host: str, from_number: str = "") -> tuple[int, str]:
    """Dial an unknown number: the final status, and the number of the terminal that the call was attributed to."""
    raw = office.raw(number, host)
    raw.call_id = f"c-{number}-{host}-{len(office.raw_phones)}"
    branch = f"t{len(office.raw_phones)}"
    raw.send(raw.request("INVITE", "999", 1, body=sdp(host, 41000), branch=branch, from_number=from_number))
    async with asyncio.timeout(10):
        while True:
            message = await raw._inbox.get()
            if isinstance(message, Response) and message.status >= 300:
                break
    raw.to_tag = message.to.tag or ""
    raw.send(raw.request("ACK", "999", 1, branch=branch))
    await asyncio.sleep(3)
    return message.status, office.rows[-1].from_number if office.rows else ""


@pytest.mark.parametrize("trust", [HOST, "10.0.9.0/24"])
async def test_a_trusted_address_may_call_without_a_password_and_others_may_not(trust: str) -> None:
    async with open_office(terminal("101", trust=trust, password="")) as office:
        assert await invite(office, "101", HOST) == (404, "101")
        assert (await invite(office, "101", "10.0.8.1"))[0] == 401


async def test_a_trusted_address_with_one_terminal_is_that_terminal_whatever_its_from_says() -> None:
    async with open_office(terminal("101", trust=HOST), terminal("102")) as office:
        assert await invite(office, "anonymous", HOST) == (404, "101")


async def test_among_several_terminals_of_one_address_the_from_chooses() -> None:
    async with open_office(terminal("101", trust=HOST), terminal("102", trust=HOST)) as office:
        assert await invite(office, "102", HOST) == (404, "102")
        assert await invite(office, "101", HOST) == (404, "101")
        assert (await invite(office, "103", HOST))[0] == 401


async def test_a_trusted_terminal_is_rung_at_its_address_without_registration() -> None:
    async with open_office(terminal("101"), terminal("102", trust="10.0.9.8", password="")) as office:
        a, door = await office.registered("101"), office.phone("102", "10.0.9.8")
        call = a.dial("102")
        ring = await door.rung()
        ring.answer()
        await call.until_answered()
        call.hangup()
        await ring.until_over()


@pytest.mark.row("EXT-21")
async def test_a_disabled_terminal_neither_registers_nor_calls_nor_can_be_dialled() -> None:
    terminals = (terminal("101"), terminal("102", disabled=True), terminal("103", disabled=True, trust=HOST))
    async with open_office(*terminals) as office:
        off = office.phone("102", password="Secret-102")
        assert (await off.register()).status == 401
        assert await off.dial("101").until_over() == 401
        assert (await invite(office, "103", HOST))[0] == 401
        a = await office.registered("101")
        assert await a.dial("102").until_over() == 404


@pytest.mark.row("EXT-11")
@pytest.mark.parametrize("network", ["10.0.5.0/24", "desks"])
async def test_a_network_filter_refuses_other_sources_and_counts_them(network: str) -> None:
    named = Office(networks=(NetworkFilter("desks", "10.0.5.0/24"),))
    async with open_office(terminal("101", network=network), terminal("102"), office=named) as office:
        inside, outside = office.phone("101", "10.0.5.5"), office.phone("101", "10.0.6.6")
        assert (await outside.register()).status == 403
        assert office.admission.guard.describe()["failed"] == 1
        assert (await inside.register()).status == 200
        call = outside.dial("102")
        assert await call.until_over() == 403
        b = await office.registered("102")
        good = inside.dial("102")
        ring = await b.rung()
        ring.reject(486)
        assert await good.until_over() == 486


@pytest.mark.row("AMB-26")
async def test_the_network_filter_refuses_without_a_challenge_and_only_who_has_the_password_learns_of_it() -> None:
    async with open_office(terminal("101", network="10.0.5.0/24")) as office:
        refused = await office.phone("101", "10.0.6.6").register()
        assert (refused.status, len(refused.headers.all(WwwAuthenticate))) == (403, 0)
        assert office.admission.guard.describe()["failed"] == 1
        guesses = [
            await office.phone(number, "10.0.6.7", password="wrong").register() for number in ("101", "102", "nobody")
        ]
        assert {each.status for each in guesses} == {401}, "an account that exists is like one that does not"
        assert all(len(each.headers.all(WwwAuthenticate)) == len(guesses[0].headers.all(WwwAuthenticate)) > 0
                   for each in guesses)  # fmt: skip


async def test_a_network_filter_limits_trust_too() -> None:
    async with open_office(terminal("101", trust="10.0.0.0/8", network="10.0.5.0/24")) as office:
        assert (await invite(office, "101", "10.0.6.6"))[0] == 401
        assert (await invite(office, "101", "10.0.5.6"))[0] == 404


@pytest.mark.row("EXT-23")
async def test_failures_of_an_account_tell_from_where_how_often_and_why_until_they_are_cleared() -> None:
    async with open_office(terminal("101", network="10.0.0.0/8"), terminal("102")) as office:
        for number, host, password in (
            *(("101", "10.0.5.5", "wrong"), ("101", "10.0.5.5", "wrong"), ("101", "192.0.2.7", "")),
            *(("102", "10.0.5.6", "wrong"), ("999", "10.0.5.7", "wrong"), ("102", "10.0.5.8", "")),
        ):
            await office.phone(number, host, password=password or f"Secret-{number}").register()
        book = office.admission.failures
        seen = {(each.number, each.source, each.count, each.reason) for each in book.table()}
        assert seen == {
            ("101", "10.0.5.5", 2, WRONG_PASSWORD),
            ("101", "192.0.2.7", 1, NOT_FROM_THERE),
            ("102", "10.0.5.6", 1, WRONG_PASSWORD),
        }
        assert [each.source for each in book.table("102")] == ["10.0.5.6"]
        assert book.clear("101")
        assert not book.clear("101")
        assert [each.number for each in book.table()] == ["102"]


@pytest.mark.row("EXT-3")
async def test_a_phone_proves_the_login_of_its_account_and_is_called_by_its_number() -> None:
    own, other = terminal("101"), terminal("102", login="jane.desk")
    async with open_office(own, other, office=Office(login_suffix="-k7")) as office:
        for number, login, is_known in (
            *(("101", "101-k7", True), ("101", "101", False), ("101", "jane.desk", False)),
            *(("102", "jane.desk", True), ("102", "102", False), ("102", "102-k7", False)),
        ):
            client = Client(office, number, "10.0.5.5" if is_known else f"10.0.6.{len(login)}")
            await client.challenged()
            found = await client.register(client.credentials(f"Secret-{number}", user=login))
            assert (found.status == 200) is is_known, (number, login)
        assert {number for number, _ in office.location} == {"101", "102"}
        told = {(each.number, each.reason) for each in office.admission.failures.table()}
        assert {("101", NUMBER_FOR_LOGIN), ("102", NUMBER_FOR_LOGIN)} <= told


async def verdict_on(office: VirtualOffice, user: str, password: str, transport: str) -> str:
    """The number of the terminal that a REGISTER with that user name is admitted as over a transport, "" for none."""
    client = Client(office, user, f"10.0.7.{len(office.raw_phones) + 1}")
    await client.challenged()
    text = client.raw.request("REGISTER", user, 2, client.credentials(password), to_tag="")
    request = parse_message(text)
    assert isinstance(request, Request)
    flow = Flow(transport, ("10.0.0.1", 5060), client.raw.address, 7 if transport != "UDP" else 0)
    found = office.admission.check(request, flow)
    return "" if isinstance(found, Denied) else found.terminal.number


async def test_a_browser_may_sign_in_beside_the_phones_by_a_name_of_its_own_and_nobody_else_by_that() -> None:
    async with open_office(terminal("101"), terminal("102", login="101-WS-WS")) as office:
        for transport in ("WS", "WSS", "UDP", "TCP", "TLS"):
            is_browser = transport in ("WS", "WSS")
            assert await verdict_on(office, "101-WS", "Secret-101", transport) == ("101" if is_browser else "")
            assert await verdict_on(office, "101-WS-WS", "Secret-102", transport) == "102"  # its very own name
        assert await verdict_on(office, "101-WS", "wrong", "WSS") == ""


async def test_without_a_suffix_the_number_is_the_login() -> None:
    async with open_office(terminal("101")) as office:
        client = Client(office)
        await client.challenged()
        assert (await client.register(client.credentials("Secret-101", user="101"))).status == 200


async def test_a_login_that_changes_counts_at_the_next_registration() -> None:
    async with open_office(terminal("101")) as office:
        phone = office.phone("101")
        assert (await phone.register()).status == 200
        office.pbx.office_changed(Directory(replace(office.pbx.office, login_suffix="-k7"), REALM))
        assert (await phone.register()).status == 401


def test_an_account_that_is_attacked_from_everywhere_fills_nothing() -> None:
    book = AccountFailures()
    for n in range(MOST_SOURCES + 5):
        book.failed("101", f"192.0.2.{n}", WRONG_PASSWORD, float(n))
    assert len(book.table()) == MOST_SOURCES
    assert book.table()[0].source == f"192.0.2.{MOST_SOURCES + 4}"


@pytest.mark.row("EXT-10")
@pytest.mark.parametrize(("setting", "good", "bad"), [("udp", "UDP", "TCP"), ("tcp", "TCP", "UDP")])
async def test_a_terminal_may_be_bound_to_one_transport(setting: str, good: str, bad: str) -> None:
    async with open_office(terminal("101", transport=setting)) as office:
        right, wrong = office.phone("101", "10.0.5.5", transport=good), office.phone("101", "10.0.5.6", transport=bad)
        assert (await wrong.register()).status == 401
        assert (await right.register()).status == 200


@pytest.mark.row("EXT-10")
async def test_any_transport_is_the_default() -> None:
    async with open_office(terminal("101")) as office:
        for transport, host in (("UDP", "10.0.5.5"), ("TCP", "10.0.5.6")):
            assert (await office.phone("101", host, transport=transport).register()).status == 200
        assert len(office.location.bindings("101")) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"<sip:101@10.0.0.1>;tag", b"<tel:+7495>;tag"),
        lambda text: text.replace(b"From: <sip:101@10.0.0.1>", b"From: <urn:x>"),
        lambda text: text.replace(b"From: <sip:101@10.0.0.1>", b"From: <sip:10.0.0.1>"),
    ],
)
async def test_a_strange_from_is_challenged_like_any_other(change: Callable[[bytes], bytes]) -> None:
    async with open_office(terminal("101"), terminal("102", trust="10.0.0.99")) as office:
        raw = office.raw("101", HOST)
        raw.send(change(raw.request("MESSAGE", "101", 1)))
        await raw.expect(401)


def test_a_secret_stays_out_of_what_is_printed() -> None:
    assert "Secret" not in repr(Terminal("101", password="Secret-101"))
