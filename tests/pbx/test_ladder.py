"""The ladder and the capture file of a traced call."""

import json
import struct
import subprocess
from pathlib import Path

import pytest

from media.api import Interval
from pbx.cli_trace import show, trace_object
from pbx.control.messages import ControlError, TracedLegView, TracedMessageView, TraceView
from pbx.ladder import ladder, media_of, steps
from pbx.pcap import Datagram, internet_checksum, pcap

ZVON, ANNA, BORIS = ("127.0.0.1", 5060), ("127.0.0.2", 5062), ("127.0.0.3", 5064)
T = 1_700_000_000.0


def sdp(port: int, *formats: str, host: str = "127.0.0.2", tail: str = "") -> str:
    maps = {"8": "PCMA", "0": "PCMU"}
    lines = [
        *("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"),
        f"m=audio {port} RTP/AVP {' '.join(formats)}",
        *(f"a=rtpmap:{each} {maps[each]}/8000" for each in formats),
    ]
    return "\r\n".join([*lines, *([tail] if tail else []), ""])


def text(first: str, call_id: str, cseq: str, body: str = "", *extra: str) -> bytes:
    lines = [
        first,
        "Via: SIP/2.0/UDP 127.0.0.2:5062;branch=z9hG4bKa",
        "From: <sip:101@127.0.0.1>;tag=a",
        "To: <sip:102@127.0.0.1>",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq}",
        *extra,
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", body]).encode()


def view(
    at: float, peer: tuple[str, int], inbound: bool, data: bytes, *, ours: tuple[str, int] = ZVON
) -> TracedMessageView:
    return TracedMessageView(T + at, "UDP", ours, peer, inbound, data)


INVITE = text("INVITE sip:102@127.0.0.1 SIP/2.0", "in", "1 INVITE", sdp(4000, "8", "0"))
CALL = TraceView(
    "zvon-1.1",
    (
        TracedLegView(
            "101",
            "Anna",
            "incoming",
            "in",
            {"received": 50, "sent": 49, "lost": 1, "jitter_ms": 2.34, "mos": 4.2},
            (Interval(25, 25, 0, 1.0, 20, 4.37, None, None, None), Interval(25, 24, 1, 3.0, 20, 2.6, None, None, None)),
            "198.51.100.7:4000",
        ),
        TracedLegView("102", "", "outgoing", "out"),
    ),
    (
        view(0.0, ANNA, True, INVITE),
        view(0.5, ANNA, True, INVITE),
        view(0.501, BORIS, False, text("INVITE sip:102@127.0.0.3:5064 SIP/2.0", "out", "1 INVITE", sdp(12000, "8"))),
        view(0.51, BORIS, True, text("SIP/2.0 486 Busy Here", "out", "1 INVITE", "", "Reason: Q.850;cause=17")),
        view(0.52, ANNA, False, text("SIP/2.0 200 OK", "in", "1 INVITE", sdp(12002, "0", tail="a=sendonly"))),
        view(0.6, ANNA, True, b"\x1b[31mBYE\r\nCall-ID: in\r\n\r\n"),
    ),
)  # fmt: skip


def test_the_ladder_of_a_call() -> None:
    lines = ladder(CALL)
    assert lines[0].split() == ["127.0.0.2:5062", "Zvon", "127.0.0.3:5064"]
    invite, again, offered, busy, answer, broken = lines[2:8]
    assert invite.startswith("    0.000   |")
    assert "INVITE" in invite
    assert "->|" in invite
    assert "sip:102@127.0.0.1; SDP audio PCMA/PCMU at 127.0.0.2:4000" in invite
    assert "retransmission" in again
    assert "retransmission" not in invite
    columns = [index for index, char in enumerate(lines[1]) if char == "|"]
    assert offered[columns[1]] == "|"
    assert offered[columns[2] - 1] == ">"
    assert busy[columns[1] + 1] == "<"
    assert "486 Busy Here (INVITE)" in busy
    assert "Reason: Q.850;cause=17" in busy
    assert answer[columns[0] + 1] == "<"
    assert "at 127.0.0.2:12002 sendonly" in answer
    assert "not SIP: ?[31mBYE" in broken
    assert lines[-5:] == [
        "incoming leg 101 Anna, PCMU/8000, audio at 127.0.0.2:4000, audio from 198.51.100.7:4000, "
        "50 packets received, 49 sent, 1 lost, jitter 2.3 ms, MOS 4.2",
        "    MOS by 5 s 43",
        "outgoing leg 102, PCMA/8000, no figures of its audio (not answered)",
        "",
        "2.0 % of the audio of 101 Anna was lost between 101 Anna and Zvon.",
    ]


def test_a_summary_that_is_longer_than_its_arrow_is_cut() -> None:
    long = text(f"SIP/2.0 480 {'x' * 80}", "in", "1 INVITE")
    lines = ladder(TraceView("", (), (view(0, ANNA, False, long),)))
    assert "x~ " in lines[2]
    assert lines[2].rstrip().endswith("|")


def test_a_description_that_cannot_be_read_is_no_note() -> None:
    [step] = steps(TraceView("", (), (view(0, ANNA, True, text("INFO sip:a SIP/2.0", "in", "1 INFO", "v=0")),)))
    assert step.notes == ()


def test_media_of_a_dialog_that_never_spoke_of_it() -> None:
    assert media_of(CALL, "other") == ("", "")


def test_scripts_get_every_message_and_leg() -> None:
    found = json.loads(json.dumps(trace_object(CALL)))
    assert found["call"] == "zvon-1.1"
    assert found["legs"][0]["codec"] == "PCMU/8000"
    assert [each["mos"] for each in found["legs"][0]["intervals"]] == [4.37, 2.6]
    assert found["diagnosis"] == ["2.0 % of the audio of 101 Anna was lost between 101 Anna and Zvon."]
    first, again, *_ = found["messages"]
    assert first["at"] == "2023-11-14T22:13:20.000Z"
    assert (first["local"], first["remote"], first["inbound"]) == ("127.0.0.1:5060", "127.0.0.2:5062", True)
    assert (first["retransmission"], again["retransmission"]) == (False, True)
    assert first["text"] == INVITE.decode()


# --- the capture file ----------------------------------------------------------------------------------------------


def udp_is_sound(frame: bytes) -> bool:
    """The checksums of a frame add up to zero."""
    ip = frame[14:]
    if frame[12:14] == b"\x08\x00":
        addresses, udp = ip[12:20], ip[20:]
        if internet_checksum(ip[:20]):
            return False
    else:
        addresses, udp = ip[8:40], ip[40:]
    return internet_checksum(addresses + struct.pack("!IHBB", len(udp), 0, 0, 17) + udp) == 0


@pytest.mark.parametrize("payload", [b"", b"odd", b"even", b"x" * 70_000])
@pytest.mark.parametrize(
    "hosts",
    [("127.0.0.1", "127.0.0.2"), ("::1", "fe80::1%eth0"), ("127.0.0.1", "::1"), ("pbx.example", "10.0.0.1")],
)
def test_every_frame_is_sound(payload: bytes, hosts: tuple[str, str]) -> None:
    data = pcap([Datagram(T + 0.25, (hosts[0], 5060), (hosts[1], 5062), payload)])
    seconds, micros, kept, real = struct.unpack("!IIII", data[24:40])
    frame = data[40:]
    assert (seconds, micros, kept) == (int(T), 250_000, real)
    assert len(frame) == kept
    assert udp_is_sound(frame)


def test_the_checksum_of_rfc_1071() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_tcpdump_reads_the_messages_as_sip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    six = view(1.0, ("::1", 5062), True, text("OPTIONS sip:a SIP/2.0", "six", "1 OPTIONS"), ours=("::1", 5060))
    file = tmp_path / "call.pcap"
    show(TraceView(CALL.call, CALL.legs, (*CALL.messages[:5], six)), json=False, file=file)
    assert f"6 messages written to {file}" in capsys.readouterr().out
    command = ["tcpdump", "-nn", "-vv", "-r", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("[udp sum ok] SIP") == 6, done.stdout
    first = [line.strip() for line in done.stdout.splitlines() if line.startswith("\t") and "SIP/2.0" in line]
    assert [line for line in first if "Via" not in line] == [
        *["INVITE sip:102@127.0.0.1 SIP/2.0"] * 2,
        "INVITE sip:102@127.0.0.3:5064 SIP/2.0",
        *("SIP/2.0 486 Busy Here", "SIP/2.0 200 OK", "OPTIONS sip:a SIP/2.0"),
    ]


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="cannot write"):
        show(CALL, json=False, file=tmp_path / "none" / "call.pcap")
