"""Numbers that a provider writes into a header field of its own (INB-22, INB-23). Pure."""

from conf.header_pattern import LONGEST, header_pattern
from frozen import dataclass
from pbx.numbering import dialled_number, number_of
from sipcore.errors import ParseError
from sipcore.headers import NameAddr
from sipcore.message import Request
from storage.records import Provider

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Said:
    """A number, and a name where there is one."""

    number: str
    name: str = ""


def caller_said(request: Request, provider: Provider) -> Said | None:
    """Who calls, where the provider has a field for it; None when it has none, or the field says nothing."""
    return _read(request, provider.cid_source, provider.cid_between, provider.cid_regex)


def called_said(request: Request, provider: Provider) -> Said | None:
    """Which number was called, the same way."""
    return _read(request, provider.did_source, provider.did_between, provider.did_regex)


def raw(request: Request, source: str) -> str:
    """The text of a field, "" when it is not there."""
    return "" if source == DEFAULT else (request.headers.get(source.lower()) or "").strip()


def _read(request: Request, source: str, between: tuple[str, ...], regex: str) -> Said | None:
    text = _cut(raw(request, source), between)
    found = _matched(text, regex) if regex else _addressed(text)
    return found if found is not None and found.number else None


def _cut(text: str, between: tuple[str, ...]) -> str:
    """What stands after the first mark and before the second; nothing when a mark is missing."""
    start, end = (*between, "", "")[:2]
    _, found, after = text.partition(start) if start else ("", "x", text)
    if not found:
        return ""
    inner, found, _ = after.partition(end) if end else (after, "x", "")
    return inner.strip() if found else ""


def _matched(text: str, regex: str) -> Said | None:
    found = header_pattern(regex).search(text[:LONGEST])
    if found is None:
        return None
    groups = found.groupdict()
    number = groups.get("number") if "number" in groups else found[1] if found.re.groups else found[0]
    return Said(dialled_number(number or ""), groups.get("name") or "")


def _addressed(text: str) -> Said:
    """An address with a name, or the bare number."""
    try:
        address = NameAddr.parse(text)
    except ParseError:
        return Said(dialled_number(text[:LONGEST]))
    return Said(number_of(address.uri), address.display)
