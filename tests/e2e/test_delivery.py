"""How an office gets to the customer: as a file for a server of their own, into a server that works, into a hosted one;
and what is true right after that. Offices behind one edge have nothing in common."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bench.wire import Address
from tests.e2e.harness import Server, Site, free_port, password_of, running, terminal
from tests.e2e.test_api import signed_in
from tests.e2e.test_lines import provider
from tests.e2e.ua import Phone, connect, eventually

EDGE, PHONES = "127.0.0.9", "127.0.0.3"  # what comes from the host of the operator is a call of the line
HORNS, HOOVES = "horns.example.com", "hooves.example.com"
MEDIA: tuple[Address, Address] = (("127.0.0.1", 40200), ("127.0.0.1", 40202))


@dataclass(frozen=True)
class Hosted:
    """Two offices behind one edge, empty at first, and an operator for their lines."""

    edge: Address
    horns: Server
    hooves: Server
    operator: Server

    def phone(self, number: str, domain: str, password: str = "") -> Phone:
        return Phone(self.edge, number, password or password_of(number), host=PHONES, domain=domain)


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    folder = tmp_path_factory.mktemp("hosted")
    behind = f'edges = ["{EDGE}"]\nqualify = 0'  # gone phones answer none, which an edge waits for
    sites = [
        Site.write(folder / name, "", sip=behind, web=True, rtp_ports=(first, first + 99))
        for name, first in (("horns", 13000), ("hooves", 13200))
    ]
    edge = Site(folder / "edge", (EDGE, free_port(EDGE)), (0, 0))
    edge.folder.mkdir()
    edge.office.write_text("")
    of = [f"udp:{site.sip[0]}:{site.sip[1]}" for site in sites]
    edge.config.write_text(
        f'[sip]\nrole = "proxy"\nudp = ["{EDGE}:{edge.sip[1]}"]\ntcp = []\n'
        f'[sip.domains]\n"{HORNS}" = ["{of[0]}"]\n"{HOOVES}" = ["{of[1]}"]\n'
    )
    operator = Site.write(folder / "operator", terminal("555", password=password_of("555")), rtp_ports=(13400, 13499))
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(running(each)) for each in (*sites, edge, operator)]
        yield Hosted(edge.sip, started[0], started[1], started[3])


def document(operator: Server, *numbers: str) -> str:
    """An office with these terminals and a line to the operator."""
    host, port = operator.address
    entries = [terminal(number, password=password_of(number)) for number in numbers]
    line = provider(host=host, port=port, login="555", password=password_of("555"), qualify=0)
    return "\n".join(['[office]\nname = "Delivered"', *entries, line])


def has_line(server: Server) -> bool:
    return [each["state"] for each in server.json("lines")] == ["registered"]


@pytest.mark.row("AMB-30")
@pytest.mark.row("CFG-1")
@pytest.mark.row("CFG-3")
def test_an_office_is_delivered_as_a_file_to_a_server_that_works_and_to_a_hosted_one(
    hosted: Hosted, tmp_path: Path
) -> None:
    office = document(hosted.operator, "201", "202")
    with contextlib.closing(signed_in(hosted.horns)) as client:  # (c) the hosted one
        looked = client.put("/document?dry_run=true", content=office.encode())
        assert "+ terminal 201" in "\n".join(looked.json()["data"])
        assert hosted.horns.json("status")["office"]["terminals"] == 0
        assert client.put("/document", content=office.encode()).status_code == 200
        with hosted.phone("201", HORNS) as phone:
            assert phone.register().status == 200  # at once (CFG-3)
            phone.register(expires_s=0)
        eventually(lambda: has_line(hosted.horns), "the line of the hosted office is registered")
        delivered = client.get("/document?secrets=true").text
    # (a) the finished configuration for a server of the customer's own
    own = Site.write(tmp_path / "own", "", web=True)
    own.office.write_text(delivered)
    with running(own) as server, contextlib.closing(signed_in(server)) as client:
        with Phone(server.address, "202", password_of("202"), host=PHONES) as phone:
            assert phone.register().status == 200
            eventually(lambda: has_line(server), "the line of the own server is registered")
            # (b) a change into the server that works: phones stay, new ones come in
            changed = delivered + "\n" + terminal("203", password=password_of("203"))
            assert client.put("/document", content=changed.encode()).json()["data"] == ["+ terminal 203"]
            with Phone(server.address, "203", password_of("203"), host=PHONES) as other:
                assert other.register().status == 200
                connect(other, phone, MEDIA)[0].hang_up()
                phone.reply(phone.expect("BYE"), 200)
            assert [each["number"] for each in server.json("registrations")].count("202") == 1
        assert server.command("export", "--with-secrets").stdout.count("[[terminals]]") == 3


@pytest.mark.row("CFG-10")
def test_offices_behind_one_edge_have_nothing_in_common(hosted: Hosted) -> None:
    with contextlib.closing(signed_in(hosted.hooves)) as client:
        other = "\n".join([terminal("201", password="Other_Secret-201"), terminal("203", password=password_of("203"))])
        assert client.put("/document", content=other.encode()).status_code == 200
        token = client.headers["Authorization"]
    with (
        hosted.phone("201", HORNS) as horns_201,
        hosted.phone("202", HORNS) as horns_202,
        hosted.phone("201", HOOVES, "Other_Secret-201") as hooves_201,
        hosted.phone("203", HOOVES) as hooves_203,
        hosted.phone("201", "nobody.example.com") as stranger,
    ):
        for phone in (horns_201, horns_202, hooves_201, hooves_203):
            assert phone.register().status == 200
        assert horns_201.register(password="Other_Secret-201").status in (401, 403)
        assert hooves_203.register(password=password_of("201")).status in (401, 403)
        assert stranger.register().status == 404
        connect(horns_201, horns_202, MEDIA)[0].hang_up()
        horns_202.reply(horns_202.expect("BYE"), 200)
        assert horns_201.dial("203").expect(404, timeout_s=12)  # of the other office: it is told so, then refused
        assert horns_201.dial("203", uri=f"sip:203@{HOOVES}").expect(401, 403, 404)
        hooves_203.expect_silence(0.3)
        own = [each["number"] for each in hosted.hooves.json("registrations")]
        assert sorted(own) == ["201", "203"]
        assert hosted.hooves.json("history") == []
        eventually(lambda: len(hosted.horns.json("history")) > 0, "the call is in the history of its office")
        with httpx.Client(base_url=f"http://{hosted.horns.site.web}/api/v3") as client:
            refused = client.get("/terminals", headers={"Authorization": token})
            assert refused.status_code == 401  # an account of one office is nobody in the other
