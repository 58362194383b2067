"""Who is calling, as it is believed and as it is shown: RFC 3323, RFC 3325, Remote-Party-ID.

A phone is who the directory says, whatever it asserts. Only a source that is trusted by its address (a gateway) is
believed about the caller beyond it, and never that this is one of the office. Whoever asks for privacy is shown as
Anonymous, except to trusted ones.
"""

import re
from dataclasses import replace

from pbx.addressing import bracketed
from pbx.header_source import Said
from pbx.numbering import dialled_number
from pbx.party import Party, display_name
from sipcore.errors import ParseError
from sipcore.grammar import quote
from sipcore.headers import NameAddr, PAssertedIdentity, Privacy, RemotePartyId
from sipcore.message import Request
from sipcore.uri import SipUri, TelUri
from storage.records import Provider

Fields = list[tuple[str, str]]

ANONYMOUS_NUMBER = "anonymous"
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
_ASSERTED_BY = {  # what names the caller beside From: the field, and what follows the address
    "asserted": ("P-Asserted-Identity", ""),
    "preferred": ("P-Preferred-Identity", ""),
    "remote_party": ("Remote-Party-ID", ";party=calling;screen=yes;privacy={}"),
}
_PROVIDED = frozenset(("none", "critical", "header", "session", "user", "id", "history"))
_HIDING = frozenset(("header", "user", "id"))
_SHOWABLE = re.compile(r"[A-Za-z0-9+*#._-]{1,64}")


class PrivacyUnavailable(Exception):
    """The caller demands a privacy that we do not know (`critical`, RFC 3323 §4.2): refuse with 500."""


def calling(request: Request, party: Party, *, is_trusted: bool, number_length: int) -> Party:
    """Who calls with this INVITE: the party that was admitted, or somebody beyond it that it may speak for. Nobody
    speaks for numbers that could be the office's own, those of at most `number_length` characters."""
    privacy = _privacy(request)
    asserted = _asserted(request) if is_trusted else None
    is_beyond = asserted is not None and len(_number(asserted)) > number_length
    found = _beyond(party, asserted) if asserted is not None and is_beyond else party
    return replace(found, is_private=True) if _is_hidden(request, privacy, asserted) else found


def calling_outside(request: Request, said: Said | None = None) -> Party:
    """Who calls over a provider: what it asserts, the strongest first, or what it `said` where the office looks for it
    (INB-22). Raises `PrivacyUnavailable`."""
    privacy, asserted = _privacy(request), _asserted(request)
    number, name = (_number(asserted), asserted.display) if asserted is not None else ("", "")
    if said is not None and _SHOWABLE.fullmatch(said.number):
        number, name = said.number, said.name
    number = number.removeprefix("+")
    found = Party.outside(number or ANONYMOUS_NUMBER, name)
    is_hidden = not number or _is_hidden(request, privacy, asserted)
    return replace(found, is_private=True) if is_hidden else found


def calling_guest(request: Request) -> Party:
    """Who calls that nobody vouches for: the address that it gives is a name, and not a number that is called back.
    Raises `PrivacyUnavailable`."""
    uri = request.from_.uri
    address = f"{uri.user or ''}@{uri.host}".lstrip("@") if isinstance(uri, SipUri) else ""
    found = Party.outside(ANONYMOUS_NUMBER, address)
    return replace(found, is_private=True) if _is_hidden(request, _privacy(request), None) else found


def _privacy(request: Request) -> frozenset[str]:
    try:
        wanted = request.headers.first(Privacy)
    except ParseError:
        wanted = None
    tokens = frozenset(wanted.tokens) if wanted is not None else frozenset()
    if "critical" in tokens and not tokens <= _PROVIDED:
        raise PrivacyUnavailable
    return tokens


def _is_hidden(request: Request, privacy: frozenset[str], asserted: NameAddr | None) -> bool:
    if "none" in privacy:
        return False
    remote = asserted is not None and (asserted.params.get("privacy") or "").lower() in ("full", "uri", "yes")
    uri = request.from_.uri
    is_anonymous = isinstance(uri, SipUri) and uri.host.lower() == "anonymous.invalid"
    return bool(privacy & _HIDING) or is_anonymous or remote


def _asserted(request: Request) -> NameAddr | None:
    """What a trusted source says, the strongest first; one that cannot be read says nothing."""
    for kind in (PAssertedIdentity, RemotePartyId):
        try:
            found = request.headers.all(kind)
        except ParseError:
            continue
        for each in found:
            if (each.params.get("party") or "calling").lower() == "calling" and _number(each):
                return each
    return request.from_ if _number(request.from_) not in ("", ANONYMOUS_NUMBER) else None


def _number(address: NameAddr) -> str:
    uri = address.uri
    user = (uri.user or "") if isinstance(uri, SipUri) else uri.number if isinstance(uri, TelUri) else ""
    number = dialled_number(user)
    return number if _SHOWABLE.fullmatch(number) else ""


def _beyond(party: Party, asserted: NameAddr) -> Party:
    number = _number(asserted)
    if number == party.number:
        return party
    return replace(party, presented=number, name=display_name(asserted.display))


# --- shown ---------------------------------------------------------------------------------------------------------


def from_value(party: Party, host: str) -> str:
    """The party in a From (RFC 3323 §4.1.1.3), without a tag. Who wants privacy is anonymous here for everybody."""
    return ANONYMOUS if party.is_private else _name_addr(party, host)


def on_line(provider: Provider, caller: Party, caller_id: str, host: str = "") -> tuple[str, Fields]:
    """Who calls, as a provider is told it: From without a tag, and what says it beside. It is the account, or
    `caller_id`, or the caller with its own number, as the settings of the provider want it (PRV-9, OUT-11). `host` is
    ours, for one that has none of its own."""
    domain = bracketed(provider.from_domain or provider.host or host)
    account = provider.from_user or provider.login
    shows_caller = provider.show_caller or not account
    number = caller_id or (caller.shown_number if shows_caller else account)
    name = caller.name if shows_caller and not caller_id else ""
    shown = _address(name, number, domain)
    field, tail = _ASSERTED_BY.get(provider.identity, ("", ""))
    if caller.is_private:  # the provider still has to know who pays
        hidden = [(field or "P-Asserted-Identity", f"{shown}{tail.format('full')}"), ("Privacy", "id")]
        return ANONYMOUS, hidden
    said = [(field, f"{shown}{tail.format('off')}")] if field else []
    return (shown if shows_caller else _address("", account, domain)), said


def shown_number(party: Party) -> str:
    return ANONYMOUS_NUMBER if party.is_private else party.shown_number


def asserting(party: Party, host: str, *, is_trusted: bool) -> Fields:
    """The header fields that tell a phone who is at the other end; of a private party only who is trusted hears."""
    if not party.is_private:
        address = _name_addr(party, host)
        return [
            ("P-Asserted-Identity", address),
            ("Remote-Party-ID", f"{address};party=calling;screen=yes;privacy=off"),
        ]
    if not is_trusted:
        return [("Remote-Party-ID", f"{ANONYMOUS};party=calling;screen=yes;privacy=full")]
    return [("P-Asserted-Identity", _name_addr(party, host)), ("Privacy", "id")]


def answering(party: Party, host: str, *, is_trusted: bool) -> Fields:
    """The same in responses to a caller and in what it is told later."""
    return [
        (name, value.replace(";party=calling;", ";party=called;"))
        for name, value in asserting(party, host, is_trusted=is_trusted)
    ]


def _name_addr(party: Party, host: str) -> str:
    return _address(party.name, party.shown_number, bracketed(host))


def _address(name: str, number: str, host: str) -> str:
    address = f"<sip:{number}@{host}>"
    return f"{quote(name)} {address}" if name else address
