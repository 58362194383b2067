"""`office.toml`: the sections of the company document, and the rules that each of them obeys on its own.

What needs more than one section (a number used twice, an owner who does not exist) stands in `conf.office_rules`.
"""

import difflib
import re
import zoneinfo
from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator

from conf.countries import COUNTRIES
from conf.fields import choice, host, host_or_empty, network, text, text_up_to, whole_number
from conf.model import Section

LANGUAGES = ("en", "ru")
MIN_NUMBER_LENGTH = 2
MAX_NUMBER_LENGTH = 8

_USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)*")
_MOBILE = re.compile(r"\+?[1-9][0-9]{1,14}")
_LOGIN = re.compile(r"[A-Za-z0-9+._@-]{1,128}")
_DIAL_STRING = re.compile(r"[0-9+*#]{1,255}")


def _user_id(value: object) -> str:
    found = text(value)
    if not _USER_ID.fullmatch(found):
        raise ValueError(f'must be 1 to 64 letters A-Z a-z, digits or . _ -, not "{found}"')
    return found


def _number(value: object) -> str:
    found = text(value)
    if not re.fullmatch(rf"[0-9]{{{MIN_NUMBER_LENGTH},{MAX_NUMBER_LENGTH}}}", found):
        raise ValueError(f'must be {MIN_NUMBER_LENGTH} to {MAX_NUMBER_LENGTH} digits, not "{found}"')
    return found


def _email(value: object) -> str:
    found = text_up_to(255)(value)
    if found and not _EMAIL.fullmatch(found):
        raise ValueError(f'must be an e-mail address, not "{found}"')
    return found


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


def _timezone(value: object) -> str:
    found = text(value)
    if found == "UTC":
        return found
    try:
        zoneinfo.ZoneInfo(found)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(_unknown_timezone(found)) from None
    return found


def _unknown_timezone(name: str) -> str:
    known = zoneinfo.available_timezones()
    if not known:
        return 'this machine has no time zone database: install the package tzdata, or use "UTC"'
    near = difflib.get_close_matches(name, known, n=1) or ["Europe/Moscow"]
    return f'unknown time zone "{name}"; a name such as "{near[0]}" is needed'


def _network_or_empty(value: object) -> str:
    found = text(value)
    if found:
        network(found)
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


def _scope_entry(value: object) -> str:
    found = text(value)
    kind, _, name = found.partition(":")
    if found != "all" and (kind not in ("user", "group") or not name):
        raise ValueError(f'must be "all", "user:ID" or "group:ID", not "{found}"')
    return found


class OfficeSection(Section):
    """`[office]`."""

    name: Annotated[str, PlainValidator(text_up_to(100))] = ""
    language: Annotated[str, PlainValidator(choice(*LANGUAGES))] = "en"
    timezone: Annotated[str, PlainValidator(_timezone)] = "UTC"
    # Three digits are enough for 900 people and quick to dial (AMB-1).
    number_length: Annotated[int, PlainValidator(whole_number(MIN_NUMBER_LENGTH, MAX_NUMBER_LENGTH))] = 3
    # REG-18: whose tones callers hear; empty follows the language.
    country: Annotated[str, PlainValidator(choice("", *COUNTRIES))] = ""


class UserSection(Section):
    """One of `[[users]]` (USR-2)."""

    id: Annotated[str, PlainValidator(_user_id)]
    name: Annotated[str, PlainValidator(text_up_to(100, at_least=1))]
    email: Annotated[str, PlainValidator(_email)] = ""
    mobile: Annotated[str, PlainValidator(_mobile)] = ""
    mobile_dial: Annotated[str, PlainValidator(_dial_string)] = ""
    position: Annotated[str, PlainValidator(text_up_to(255))] = ""
    location: Annotated[str, PlainValidator(text_up_to(255))] = ""
    role: Annotated[str, PlainValidator(choice("administrator", "supervisor", "user"))] = "user"
    scope: Annotated[tuple[Annotated[str, PlainValidator(_scope_entry)], ...], Field(strict=False)] = ()


class TerminalSection(Section):
    """One of `[[terminals]]` (EXT-*). `password` None: the key is absent, what is stored stays."""

    later: ClassVar[frozenset[str]] = frozenset({"line", "calendar", "ringback", "record", "forward"})

    number: Annotated[str, PlainValidator(_number)]
    owner: Annotated[str, PlainValidator(text)] = ""
    password: Annotated[str | None, PlainValidator(text)] = Field(default=None, repr=False)
    # EXT-7: a second caller hears busy, as at an ordinary telephone.
    max_calls: Annotated[int, PlainValidator(whole_number(1, 1000))] = 1
    # AMB-9: a desk phone, a softphone, a mobile, and room for their replacements.
    max_contacts: Annotated[int, PlainValidator(whole_number(1, 20))] = 10
    dtmf: Annotated[str, PlainValidator(choice("auto", "rfc4733", later=("info", "inband", "auto_info")))] = "auto"
    transport: Annotated[str, PlainValidator(choice("any", "udp", "tcp", "tls", "ws"))] = "any"
    network: Annotated[str, PlainValidator(_network_or_empty)] = ""
    trust: Annotated[str, PlainValidator(_trust)] = ""
    # EXT-10: keys in SDP are as secret as the signalling: by itself for TLS only; browsers encrypt by DTLS always.
    srtp: Annotated[str, PlainValidator(choice("auto", "off", "optional", "required"))] = "auto"
    disabled: bool = False


def _proxy(value: object) -> str:
    """Nothing, a host, or a host and a port; an IPv6 address comes out in brackets."""
    found = text(value)
    name, colon, port = found.rpartition(":")
    if not found or not colon or (":" in name and not name.endswith("]")):
        plain = host_or_empty(found)
        return f"[{plain}]" if ":" in plain else plain
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f'must be a host with or without a port such as "proxy.example.net:5060", not "{found}"')
    host(name.strip("[]"))
    return found


def _login(value: object) -> str:
    found = text(value)
    if found and not _LOGIN.fullmatch(found):
        raise ValueError(f'may hold only letters A-Z a-z, digits and + . _ - @, at most 128, not "{found}"')
    return found


def _qualify(value: object) -> int:
    """PRV-7: seconds between two questions, 0 for none."""
    found = whole_number(0, 3600)(value)
    if 0 < found < 10:
        raise ValueError(f"must be 0 (never), or 10 to 3600 seconds, not {found}")
    return found


class ProviderSection(Section):
    """One of `[[providers]]` (PRV-*). `password` None: the key is absent, what is stored stays."""

    later: ClassVar[frozenset[str]] = frozenset({"template", "addresses", "dtmf", "from_user", "from_domain"})

    id: Annotated[str, PlainValidator(_user_id)]
    host: Annotated[str, PlainValidator(host)]
    name: Annotated[str, PlainValidator(text_up_to(100))] = ""
    # 0: DNS says it (RFC 3263); without SRV records 5060, with TLS 5061.
    port: Annotated[int, PlainValidator(whole_number(0, 65535))] = 0
    # PRV-6: any is UDP or TCP, as the provider's DNS prefers.
    transport: Annotated[str, PlainValidator(choice("any", "udp", "tcp", "tls"))] = "any"
    outbound_proxy: Annotated[str, PlainValidator(_proxy)] = ""
    kind: Annotated[str, PlainValidator(choice("register", "ip", later=("inbound_register",)))] = "register"
    login: Annotated[str, PlainValidator(_login)] = ""
    password: Annotated[str | None, PlainValidator(text_up_to(255))] = Field(default=None, repr=False)
    # PRV-7: a line that is dead is known within a minute, and a question a minute disturbs nobody.
    qualify: Annotated[int, PlainValidator(_qualify)] = 60
    note: Annotated[str, PlainValidator(text_up_to(500))] = ""
    disabled: bool = False


class SoundSection(Section):
    """One of `[[sounds]]` (SND-*). `file` is relative to the document."""

    id: Annotated[str, PlainValidator(_user_id)]
    file: Annotated[str, PlainValidator(text_up_to(4096, at_least=1))]
    music: bool = False


class OfficeDocument(Section):
    """The whole of `office.toml`."""

    later: ClassVar[frozenset[str]] = frozenset({
        "groups", "queues", "ivrs", "conferences", "calendars", "external_numbers",
        "outbound_routes", "features",
    })  # fmt: skip

    office: OfficeSection = OfficeSection()
    users: Annotated[tuple[UserSection, ...], Field(strict=False)] = ()
    terminals: Annotated[tuple[TerminalSection, ...], Field(strict=False)] = ()
    providers: Annotated[tuple[ProviderSection, ...], Field(strict=False)] = ()
    sounds: Annotated[tuple[SoundSection, ...], Field(strict=False)] = ()
