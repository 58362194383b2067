"""The resolver: what it remembers and for how long, and that it never waits for DNS on the loop; a real DNS server."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from sipcore.locate import Kind, NextHop, Question, Record
from sipcore.transport.dns_client import DnsClient
from sipcore.transport.resolver import Found, LookupFailed, Resolver
from tests.support.dns_server import DnsServer

UDP = ("UDP",)


class Zone:
    """Answers after a second; `None` for a server that does not answer."""

    def __init__(self, records: dict[Question, tuple[Record, ...] | None], ttl_s: float = 60.0) -> None:
        self.records, self.ttl_s = records, ttl_s
        self.asked: Counter[Question] = Counter()

    async def __call__(self, question: Question) -> Found:
        self.asked[question] += 1
        await asyncio.sleep(1.0)
        records = self.records.get(question, ())
        if records is None:
            raise LookupFailed("no DNS server answered")
        return Found(records, self.ttl_s)


A, AAAA = Question(Kind.A, "sip.test"), Question(Kind.AAAA, "sip.test")
HOP = NextHop("sip.test", 5060)


async def hosts(resolver: Resolver, hop: NextHop = HOP) -> list[str]:
    return [each.host for each in (await resolver.locate(hop, UDP)).targets]


async def test_answers_are_kept_for_their_time() -> None:
    zone = Zone({A: ("192.0.2.1",)})
    resolver = Resolver(zone, lambda: 0.5)
    assert await hosts(resolver) == ["192.0.2.1"]
    await asyncio.sleep(50)
    assert await hosts(resolver) == ["192.0.2.1"]
    assert zone.asked[A] == 1
    zone.records[A] = ("192.0.2.2",)
    await asyncio.sleep(11)
    assert await hosts(resolver) == ["192.0.2.2"]


async def test_that_a_name_does_not_exist_is_remembered_too() -> None:
    zone = Zone({}, ttl_s=100000.0)
    resolver = Resolver(zone, lambda: 0.5)
    located = await resolver.locate(HOP, UDP)
    assert (located.targets, located.why) == ((), 'there is no host "sip.test"')
    assert await hosts(resolver) == []
    assert zone.asked[A] == 1
    await asyncio.sleep(901)
    zone.records[A] = ("192.0.2.1",)
    assert await hosts(resolver) == ["192.0.2.1"]


async def test_the_same_question_is_asked_once_by_many() -> None:
    zone = Zone({A: ("192.0.2.1",)})
    resolver = Resolver(zone, lambda: 0.5)
    assert await asyncio.gather(*(hosts(resolver) for _ in range(50))) == [["192.0.2.1"]] * 50
    assert zone.asked[A] == 1


async def test_one_who_gives_up_takes_nothing_from_the_others() -> None:
    resolver = Resolver(Zone({A: ("192.0.2.1",)}), lambda: 0.5)
    first, second = asyncio.ensure_future(hosts(resolver)), asyncio.ensure_future(hosts(resolver))
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second == ["192.0.2.1"]


async def test_a_literal_address_asks_nobody() -> None:
    zone = Zone({})
    assert await hosts(Resolver(zone, lambda: 0.5), NextHop("192.0.2.5")) == ["192.0.2.5"]
    assert not zone.asked


@pytest.mark.virtual_limit(10 * 86400)
async def test_while_dns_is_down_old_answers_hold() -> None:
    zone = Zone({A: ("192.0.2.1",), AAAA: ()})
    resolver = Resolver(zone, lambda: 0.5)
    assert await hosts(resolver) == ["192.0.2.1"]
    zone.records[A] = None
    await asyncio.sleep(3600)
    assert await hosts(resolver) == ["192.0.2.1"]
    await asyncio.sleep(2 * 86400)
    located = await resolver.locate(HOP, UDP)
    assert (located.targets, located.why) == ((), "no DNS server answered")


async def test_a_silent_server_is_left_alone_for_a_moment() -> None:
    zone = Zone({A: None, AAAA: None})
    resolver = Resolver(zone, lambda: 0.5)
    for _ in range(10):
        assert await hosts(resolver) == []
    assert zone.asked[A] == 1
    await asyncio.sleep(6)
    await hosts(resolver)
    assert zone.asked[A] == 2


async def test_closing_ends_questions_under_way() -> None:
    resolver = Resolver(Zone({A: ("192.0.2.1",)}), lambda: 0.5)
    waiting = asyncio.ensure_future(hosts(resolver))
    await asyncio.sleep(0.1)
    await resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# --- a real server --------------------------------------------------------------------------------------------------


def resolver_of(server: DnsServer) -> Resolver:
    return Resolver(DnsClient([server.address]), lambda: 0.0)


@pytest.mark.real_loop("uvloop")
async def test_naptr_srv_and_addresses_come_from_a_real_server() -> None:
    with DnsServer() as server:
        server.set("office.test", "NAPTR", '10 10 "s" "SIP+D2T" "" _sip._tcp.office.test.')
        server.set("_sip._tcp.office.test", "SRV", "1 0 5070 two.office.test.", "0 0 5060 one.office.test.")
        server.set("one.office.test", "A", "127.0.0.11")
        server.set("two.office.test", "AAAA", "::1")
        resolver = resolver_of(server)
        located = await resolver.locate(NextHop("office.test"), ("UDP", "TCP"))
        assert [(each.transport, each.host, each.port) for each in located.targets] == [
            ("TCP", "127.0.0.11", 5060),
            ("TCP", "::1", 5070),
        ]
        questions = server.asked.total()
        await resolver.locate(NextHop("office.test"), ("UDP", "TCP"))
        assert server.asked.total() == questions


@pytest.mark.real_loop("uvloop")
async def test_a_name_that_a_real_server_does_not_know() -> None:
    with DnsServer(negative_ttl_s=1) as server:
        resolver = resolver_of(server)
        assert (await resolver.locate(HOP, UDP)).why == 'there is no host "sip.test"'
        server.set("sip.test", "A", "127.0.0.12")
        assert await hosts(resolver) == []  # for the second that the SOA allows
        await asyncio.sleep(1.1)
        assert await hosts(resolver) == ["127.0.0.12"]


@pytest.mark.real_loop("uvloop")
async def test_a_silent_real_server_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipcore.transport.dns_client.LIFETIME_S", 0.5)
    with DnsServer() as server:
        server.is_silent = True
        resolver, loop = resolver_of(server), asyncio.get_running_loop()
        asking = asyncio.ensure_future(resolver.locate(HOP, UDP))
        beats, latest = 0, loop.time()
        longest = 0.0
        while not asking.done():
            await asyncio.sleep(0.01)
            longest, latest, beats = max(longest, loop.time() - latest), loop.time(), beats + 1
        assert "no DNS server answered" in (await asking).why
        assert beats > 10
        assert longest < 0.2


@pytest.mark.real_loop
async def test_names_of_the_hosts_file_and_localhost_need_no_server(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 localhost\n192.0.2.77 PBX.test pbx # the server\n2001:db8::77 pbx\nnonsense pbx\n")
    with DnsServer() as server:
        client = DnsClient([server.address], file)
        assert await client(Question(Kind.A, "pbx.test")) == Found(("192.0.2.77",), 10.0)
        assert (await client(Question(Kind.AAAA, "pbx"))).records == ("2001:db8::77",)
        assert (await client(Question(Kind.A, "localhost"))).records == ("127.0.0.1",)
        assert not server.asked


@pytest.mark.real_loop
@pytest.mark.parametrize("name", ["a..b", "x" * 70 + ".test", "ä" * 80])
async def test_names_that_are_none_are_sentences(name: str) -> None:
    with DnsServer() as server:
        located = await resolver_of(server).locate(NextHop(name, 5060), UDP)
        assert not located.targets
        assert located.why.startswith("DNS could not tell")
