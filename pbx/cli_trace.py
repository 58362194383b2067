"""What `zvon trace` prints and writes."""

from dataclasses import asdict
from pathlib import Path

import typer

from pbx.cli_output import json_text, utc
from pbx.control.messages import ControlError, TracedMessageView, TraceView
from pbx.ladder import host_port, ladder, media_of, sounds, steps
from pbx.media_doctor import diagnosis
from pbx.pcap import Datagram, pcap


def print_trace(trace: TraceView) -> None:
    """The ladder for people."""
    typer.echo("\n".join(ladder(trace)))


def trace_object(trace: TraceView) -> dict[str, object]:
    """The trace as scripts get it: `text` is the whole message."""
    return {
        "call": trace.call,
        "legs": [_leg_object(trace, index) for index in range(len(trace.legs))],
        "diagnosis": diagnosis(sounds(trace)),
        "messages": [
            {
                "at": utc(step.at),
                "offset_s": step.offset_s,
                "inbound": step.inbound,
                "transport": step.transport.lower(),
                "local": host_port(view.local),
                "remote": host_port(view.remote),
                "call_id": step.call_id,
                "summary": step.summary,
                "notes": step.notes,
                "retransmission": step.is_retransmission,
                "text": view.data.decode("utf-8", "replace"),
            }
            for step, view in zip(steps(trace), trace.messages, strict=True)
        ],
    }


def _leg_object(trace: TraceView, index: int) -> dict[str, object]:
    leg = trace.legs[index]
    codec, remote = media_of(trace, leg.sip_call_id)
    return {**asdict(leg), "codec": codec, "remote_audio": remote}


def write_pcap(trace: TraceView, path: Path) -> str:
    """Write the capture file; the sentence that says so."""
    try:
        path.write_bytes(pcap(map(_datagram, trace.messages)))
    except OSError as error:
        raise ControlError(f"cannot write {path}: {error.strerror}") from None
    return f"{len(trace.messages)} messages written to {path}"


def _datagram(view: TracedMessageView) -> Datagram:
    ends = (view.remote, view.local) if view.inbound else (view.local, view.remote)
    return Datagram(view.sent_at, *ends, view.data)


def show(trace: TraceView, *, json: bool, file: Path | None) -> None:
    """Everything that was asked for: the capture file, then the document or the ladder."""
    said = write_pcap(trace, file) if file is not None else ""
    if json:
        typer.echo(json_text(trace_object(trace)))
        return
    print_trace(trace)
    if said:
        typer.echo(f"\n{said}")
