"""Histories of other systems as rows of ours (CDR-24): the `cdr` table of Asterisk, as FreePBX has it, and MikoPBX's.

Pure: records by the names of their columns in, rows out. A record that cannot be read is told as a sentence.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, tzinfo

from frozen import dataclass
from storage.records import CdrRow

Record = Mapping[str, str]
DISPOSITIONS = {
    "ANSWERED": "ANSWERED",
    "ANSWER": "ANSWERED",
    "BUSY": "BUSY",
    "NO ANSWER": "NOANSWER",
    "NOANSWER": "NOANSWER",
}
STAGES = {
    "dial": "dial",
    "queue": "queue",
    "voicemail": "voicemail",
    "confbridge": "conference",
    "meetme": "conference",
}
TALKS = frozenset(("dial", "conference"))
_NAME = re.compile(r'^"?(.*?)"?\s*<')
_TRUNK = re.compile(r"^[A-Za-z0-9]+/(.+)-[0-9a-f]+(?:;\d)?$")


@dataclass(frozen=True, slots=True)
class Imported:
    """A row, and the recording that belongs to it as the other system names it, "" none."""

    row: CdrRow
    recording: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a record is left out; `line` counts records from 1."""

    line: int
    why: str


def imported(records: Iterable[Record], zone: tzinfo) -> Iterator[Imported | Unreadable]:
    """`zone` is that of the other system's clock."""
    seen: Counter[str] = Counter()
    for line, record in enumerate(records, 1):
        try:
            yield _of_mikopbx(record, zone) if "src_num" in record else _of_asterisk(record, zone, seen)
        except (KeyError, ValueError) as error:
            missing = f"the column {error} is missing" if isinstance(error, KeyError) else str(error)
            yield Unreadable(line, missing)


def _of_asterisk(record: Record, zone: tzinfo, seen: Counter[str]) -> Imported:
    started_at, duration = _moment(record["calldate"], zone), float(record["duration"] or 0)
    talk, unique = float(record["billsec"] or 0), record["uniqueid"]
    seen[unique] += 1
    did, stage = record.get("did", ""), STAGES.get(record["lastapp"].casefold(), "application")
    name = _NAME.match(record.get("clid", ""))
    disposition = DISPOSITIONS.get(record["disposition"].upper(), "FAILED")
    is_out = bool(record.get("outbound_cnum"))
    to_number = record["dst"] if record["dst"] != "s" else did
    row = CdrRow(
        id=f"{unique}-{record.get('sequence') or seen[unique]}",
        linkedid=(record.get("linkedid") or unique)[:64],
        started_at=started_at,
        ended_at=started_at + duration,
        from_number=record["src"] or record.get("cnum", ""),
        to_number=to_number,
        disposition=disposition,
        answered_at=started_at + duration - talk if disposition == "ANSWERED" else None,
        talk_seconds=talk if disposition == "ANSWERED" and stage in TALKS else 0.0,
        from_name=record.get("cnam") or (name[1] if name else ""),
        to_name=record.get("dst_cnam", ""),
        external_number=did or record.get("outbound_cnum", ""),
        provider_in=_trunk(record["channel"]) if did else "",
        provider_out=_trunk(record["dstchannel"]) if is_out else "",
        stage=stage,
    )
    return Imported(row, record.get("recordingfile", ""))


def _of_mikopbx(record: Record, zone: tzinfo) -> Imported:
    started_at, ended_at = _moment(record["start"], zone), _moment(record["endtime"], zone)
    disposition = DISPOSITIONS.get(record["disposition"].upper(), "FAILED")
    answered_at = _moment(record["answer"], zone) if record.get("answer") else None
    stage = "application" if record.get("is_app") == "1" else "dial"
    did = record.get("did", "")
    row = CdrRow(
        id=f"{record['linkedid']}-{record['UNIQUEID'] if record.get('UNIQUEID') else record['id']}",
        linkedid=record["linkedid"][:64],
        started_at=started_at,
        ended_at=max(ended_at, started_at),
        from_number=record["src_num"],
        to_number=record["dst_num"],
        disposition=disposition,
        answered_at=answered_at if disposition == "ANSWERED" else None,
        talk_seconds=float(record["billsec"] or 0) if stage in TALKS else 0.0,
        from_name=record.get("src_name", ""),
        to_name=record.get("dst_name", ""),
        external_number=did,
        provider_in=record.get("from_account", "") if did else "",
        provider_out=record.get("to_account", "") if not did else "",
        stage="transfer" if record.get("transfer") == "1" else stage,
        transfer="blind"
        if record.get("transfer") == "1"
        else "consultation"
        if record.get("a_transfer") == "1"
        else "",
    )
    return Imported(row, record.get("recordingfile", ""))


def _moment(text: str, zone: tzinfo) -> float:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f'"{text}" is no time') from None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()


def _trunk(channel: str) -> str:
    """The name of the trunk in `PJSIP/trunk-0000001a`."""
    found = _TRUNK.match(channel)
    return found[1] if found else channel
