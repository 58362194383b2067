"""People and terminals in `office.toml`: users, location groups, employee groups, terminals with their forwarding."""

import re
from typing import Annotated

from pydantic import Field, PlainValidator

from conf.fields import choice, network, text, text_up_to, whole_number
from conf.model import Section
from conf.office_fields import (
    LANGUAGES,
    Email,
    Id,
    IdOrNone,
    Ids,
    Login,
    Name,
    NetworkOrAny,
    Note,
    Number,
    OutsideNumber,
    Patterns,
    RouteName,
    RouteNames,
    Target,
    TargetOrNone,
)

_MOBILE = re.compile(r"\+?[1-9][0-9]{1,14}")
_DIAL_STRING = re.compile(r"[0-9+*#]{1,255}")
_CALLER = re.compile(r"\+?[0-9]{2,15}")
HEADERS = ("Alert-Info", "Call-Info", "Organization", "Priority", "Subject")
_HEADER = re.compile(rf"X-[A-Za-z0-9-]{{1,60}}|{'|'.join(HEADERS)}", re.IGNORECASE)


def _mobile(value: object) -> str:
    found = text(value)
    if found and not _MOBILE.fullmatch(found):
        raise ValueError(f'must be 2 to 15 digits, with or without a + before them, not "{found}"')
    return found


def _dial_string(value: object) -> str:
    found = text(value)
    if found and not _DIAL_STRING.fullmatch(found):
        raise ValueError(f'may hold only digits, +, * and #, not "{found}"')
    return found


def _caller(value: object) -> str:
    found = text(value)
    if not _CALLER.fullmatch(found):
        raise ValueError(f'must be the number of a caller, not "{found}"')
    return found


def _trust(value: object) -> str:
    """An address or network. All of the Internet is refused: such an account belongs to everybody."""
    found = text(value)
    if not found:
        return ""
    try:
        prefix = network(found).prefixlen
    except ValueError as error:
        raise ValueError(str(error).replace("must be a network", "must be an address or a network")) from None
    if prefix == 0:
        raise ValueError(f'"{found}" would let everybody use this terminal without a password')
    return found


def _network(value: object) -> str:
    return str(network(value))


def _header_name(value: object) -> str:
    """What a phone may be told beside the call itself; all other fields are ours to write."""
    found = text(value)
    if not _HEADER.fullmatch(found):
        raise ValueError(f'must be a header field X-…, {", ".join(HEADERS)}, not "{found}"')
    return found


def _header_value(value: object) -> str:
    found = text_up_to(255)(value)
    if not found.isascii() or not found.isprintable():
        raise ValueError("may hold only printable ASCII characters")
    return found


def _scope_entry(value: object) -> str:
    found = text(value)
    kind, _, name = found.partition(":")
    if found != "all" and (kind not in ("user", "group") or not name):
        raise ValueError(f'must be "all", "user:ID" or "group:ID", not "{found}"')
    return found


Networks = Annotated[tuple[Annotated[str, PlainValidator(_network)], ...], Field(strict=False)]
Codec = Annotated[str, PlainValidator(choice("opus", "G722", "PCMA", "PCMU", "G729", "L16"))]
Codecs = Annotated[tuple[Codec, ...], Field(strict=False)]
HeaderName = Annotated[str, PlainValidator(_header_name)]
HeaderValue = Annotated[str, PlainValidator(_header_value)]


class UserSection(Section):
    """One of `[[users]]` (USR-2)."""

    id: Id
    name: Annotated[str, PlainValidator(text_up_to(100, at_least=1))]
    email: Email = ""
    mobile: Annotated[str, PlainValidator(_mobile)] = ""
    mobile_dial: Annotated[str, PlainValidator(_dial_string)] = ""
    position: Annotated[str, PlainValidator(text_up_to(255))] = ""
    location: Annotated[str, PlainValidator(text_up_to(255))] = ""
    role: Annotated[str, PlainValidator(choice("administrator", "supervisor", "user"))] = "user"
    scope: Annotated[tuple[Annotated[str, PlainValidator(_scope_entry)], ...], Field(strict=False)] = ()
    # EXT-25: no conversation of the person is recorded, whichever number or mobile it is held on.
    record: bool = True
    # AMB-10: nobody loses a call because a form was not filled in.
    forward_to_mobile: bool = True
    skills: Ids = ()
    # USR-2: of what the person hears and of mail to them; empty is that of the office.
    language: Annotated[str, PlainValidator(choice("", *LANGUAGES))] = ""


class LocationGroupSection(Section):
    """One of `[[location_groups]]` (GRP-3)."""

    id: Id
    name: Name = ""
    parent: IdOrNone = ""
    note: Note = ""


class EmployeeGroupSection(Section):
    """One of `[[employee_groups]]` (GRP-7…9)."""

    id: Id
    name: Name = ""
    members: Ids = ()
    is_default: bool = False
    isolate: bool = False
    isolate_pickup: bool = False
    patterns: Patterns = ()
    note: Note = ""
    # GRP-5: nothing that was not ticked.
    routes: RouteNames = ()
    caller_id: OutsideNumber = ""
    caller_ids: dict[RouteName, OutsideNumber] = Field(default_factory=dict)


class ForwardSection(Section):
    """`forward` of a terminal (FWD-1, FWD-16)."""

    no_answer: TargetOrNone = ""
    busy: TargetOrNone = ""
    unavailable: TargetOrNone = ""
    always: TargetOrNone = ""
    # FWD-2: about nine rings; who is at the desk has answered by then.
    ring_time: Annotated[int, PlainValidator(whole_number(0, 180))] = 45
    callers: dict[Annotated[str, PlainValidator(_caller)], Target] = Field(default_factory=dict)
    closed: TargetOrNone = ""


class TerminalSection(Section):
    """One of `[[terminals]]` (EXT-*). `password` None: the key is absent, what is stored stays."""

    number: Number
    owner: Annotated[str, PlainValidator(text)] = ""
    password: Annotated[str | None, PlainValidator(text)] = Field(default=None, repr=False)
    # EXT-7: a second caller hears busy, as at an ordinary telephone.
    max_calls: Annotated[int, PlainValidator(whole_number(1, 1000))] = 1
    # AMB-9: a desk phone, a softphone, a mobile, and room for their replacements.
    max_contacts: Annotated[int, PlainValidator(whole_number(1, 20))] = 10
    # EXT-9: RFC 4733 where the phone has it, which all do that are not very old.
    dtmf: Annotated[str, PlainValidator(choice("auto", "auto_info", "rfc4733", "info", "inband"))] = "auto"
    transport: Annotated[str, PlainValidator(choice("any", "udp", "tcp", "tls", "ws"))] = "any"
    network: NetworkOrAny = ""
    trust: Annotated[str, PlainValidator(_trust)] = ""
    # EXT-10: keys in SDP are as secret as the signalling: by itself for TLS only; browsers encrypt by DTLS always.
    srtp: Annotated[str, PlainValidator(choice("auto", "off", "optional", "required"))] = "auto"
    disabled: bool = False
    ringback: IdOrNone = ""
    record: bool = True
    forward: ForwardSection = ForwardSection()
    show_in_phonebook: bool = True
    public_access: bool = True
    calendar: IdOrNone = ""
    # CAL-17: colleagues may ring whoever stays late.
    calendar_internal: bool = False
    # USR-3: where no number of a person is the main one, the first is.
    main: bool = False
    # EXT-17: none, calls outside take the ways of everybody.
    line: Annotated[str, PlainValidator(text)] = ""
    # EXT-3: every phone has a field for it, but most people expect the number there.
    login: Login = ""
    # EXT-12: of this account alone, where the office says otherwise.
    permit: Networks = ()
    deny: Networks = ()
    codecs: Codecs = ()
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    variables: dict[Id, HeaderValue] = Field(default_factory=dict)
