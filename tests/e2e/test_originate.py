"""`zvon originate` and `zvon transfer` with SIPp phones."""

from pathlib import Path

from tests.e2e.conftest import CALLEE
from tests.e2e.harness import Server
from tests.e2e.sipp import Plan, Sipp
from tests.e2e.ua import eventually, registered_port


def _phone(server: Server, number: str, port: int, folder: Path) -> Sipp:
    keys = {"number": number, "to": number, "from": number}
    return Sipp(Plan("callee_answers", server.address, CALLEE, port, keys=keys), folder)


def _talking(server: Server) -> list[tuple[str, str]]:
    return [(each["from_number"], each["to_number"]) for each in server.json("calls") if each["state"] == "talking"]


def test_click_to_dial_and_a_transfer_by_the_operator(server: Server, tmp_path: Path) -> None:
    with (
        registered_port(server.address, "402", CALLEE) as own,
        registered_port(server.address, "403", CALLEE) as first,
        registered_port(server.address, "404", CALLEE) as second,
    ):
        phones = [
            _phone(server, number, port, tmp_path) for number, port in (("402", own), ("403", first), ("404", second))
        ]
        try:
            assert server.command("originate", "402", "403").returncode == 0
            eventually(lambda: _talking(server) == [("402", "403")], "both phones talk")
            (call,) = server.json("calls")
            assert server.command("transfer", call["id"], "404").returncode == 0
            eventually(lambda: _talking(server) == [("402", "404")], "the caller has gone on")
            phones[1].finish()
            (call,) = server.json("calls")
            server.command("hangup", call["id"])
            phones[0].finish()
            phones[2].finish()
        finally:
            for phone in phones:
                phone.end()
    eventually(lambda: server.json("calls") == [], "nothing is left")
