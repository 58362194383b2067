"""`zvon trace` beside a real call: by every id a person may have, as a picture, as data, as a capture file."""

import socket
import subprocess
from pathlib import Path

from tests.e2e.conftest import CALLEE, CALLER, office
from tests.e2e.harness import Server, Site, password_of, running, zvon
from tests.e2e.ua import Phone, connect, eventually, registered
from tests.pbx.test_hep import decoded


def _one_call(server: Server) -> dict[str, object]:
    """Make a call; its history row."""
    before = len(server.json("history"))
    with Phone(server.address, "303", host=CALLER) as caller, registered(server.address, "404", host=CALLEE) as callee:
        outgoing, incoming = connect(caller, callee, ((CALLER, 7400), (CALLEE, 7400)))
        outgoing.hang_up()
        incoming.expect_hang_up()
    eventually(lambda: len(server.json("history")) > before, "the call is in the history")
    row: dict[str, object] = server.json("history")[0]
    return row


def test_a_call_is_shown_as_a_ladder_by_each_of_its_ids(server: Server) -> None:
    row = _one_call(server)
    call_ids = row["sip_call_ids"]
    assert isinstance(call_ids, list)
    for wanted in (row["id"], row["linkedid"], *call_ids):
        found = server.json("trace", str(wanted))
        assert found["call"] == row["linkedid"]
        summaries = [each["summary"] for each in found["messages"]]
        assert summaries.count("INVITE") == 2
        assert summaries.count("ACK") == 2
        assert summaries.count("BYE") == 2
        assert [leg["codec"] for leg in found["legs"]] == ["PCMA/8000"] * 2
        assert all("received" in leg["quality"] for leg in found["legs"])
    shown = server.command("trace", str(row["linkedid"])).stdout
    assert "Zvon" in shown
    assert "INVITE" in shown
    assert "outgoing leg 404" in shown


def test_the_capture_file_of_a_call_opens_in_tcpdump(server: Server, tmp_path: Path) -> None:
    row, file = _one_call(server), tmp_path / "call.pcap"
    server.command("trace", str(row["linkedid"]), "--pcap", str(file))
    command = ["tcpdump", "-nn", "-vv", "-A", "-r", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("INVITE sip:404@") == 2
    assert "bad udp" not in done.stdout


def test_a_registration_is_traced_without_its_digest(server: Server) -> None:
    with Phone(server.address, "212", password=password_of("212")) as phone:
        answer = phone.register()
        assert answer.status == 200
        call_id = answer.first("call-id")
    found = server.json("trace", call_id)
    assert [each["summary"] for each in found["messages"]][:2] == ["REGISTER", "401 Unauthorized (REGISTER)"]
    assert any('response="****' in each["text"] for each in found["messages"])
    open_text = server.json("trace", call_id, "--with-secrets")
    assert not any('response="****' in each["text"] for each in open_text["messages"])


def test_an_unknown_call_is_one_sentence(server: Server) -> None:
    done = zvon("trace", "nothing-1", data=server.data)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "zvon: there is no call nothing-1, neither now nor in the history; `zvon calls` and `zvon history` list them"
    )


def test_a_capture_server_gets_every_message_of_a_call_with_one_correlation(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(2)
        host, port = collector.getsockname()
        site = Site.write(tmp_path, office(), rtp_ports=(13000, 13099), sip=f'hep = "{host}:{port}"\ntrace_mb = 0')
        with running(site) as server:
            row = _one_call(server)
            sent = server.json("status")["hep"]["sent"]
            chunks = [decoded(collector.recv(65535)) for _ in range(sent)]
            done = zvon("trace", str(row["id"]), data=server.data)
    caller_call_id = str(next(iter(row["sip_call_ids"]))).encode()  # type: ignore[call-overload]
    of_call = [each[0x0F].split(b"\r\n")[0] for each in chunks if each[0x11] == caller_call_id]
    assert sum(line.startswith(b"INVITE ") for line in of_call) == 2
    assert sum(line.startswith(b"BYE ") for line in of_call) == 2
    assert "trace_mb in [sip] of the settings is 0" in done.stderr
