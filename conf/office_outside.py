"""Providers and the ways to numbers outside in `office.toml`."""

import re
from typing import Annotated

from pydantic import Field, PlainValidator, field_validator, model_validator

from conf.calling_codes import code_at
from conf.dial_template import DialTemplate
from conf.fields import choice, host, host_or_empty, network, text, text_up_to, whole_number
from conf.header_pattern import header_pattern
from conf.model import Section
from conf.office_fields import (
    Id,
    IdOrNone,
    Ids,
    Login,
    Name,
    NetworkOrAny,
    Note,
    OutsideNumber,
    RouteName,
    ScriptOrNone,
)
from conf.provider_templates import TEMPLATES, with_template
from storage.records import OutboundPolicy

_HOURS = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")
_PREPEND = re.compile(r"[0-9*#+]{0,20}")
_EMERGENCY = re.compile(r"[0-9X]{2,6}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


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


def _qualify(value: object) -> int:
    """PRV-7: seconds between two questions, 0 for none."""
    found = whole_number(0, 3600)(value)
    if 0 < found < 10:
        raise ValueError(f"must be 0 (never), or 10 to 3600 seconds, not {found}")
    return found


def _address(value: object) -> str:
    """PRV-5. All of the Internet is refused: whoever calls from there would be the provider."""
    found = network(value)
    if found.prefixlen == 0:
        raise ValueError(f'"{text(value)}" would let everybody call as this provider')
    return text(value)


def _prepend(value: object) -> str:
    found = text(value)
    if not _PREPEND.fullmatch(found):
        raise ValueError(f'must be at most 20 of the keys 0-9 * # +, not "{found}"')
    return found


def _template(value: object) -> str:
    DialTemplate.of(text(value))
    return text(value)


def _hours(value: object) -> str:
    found = text(value)
    if found and not _HOURS.fullmatch(found):
        raise ValueError(f'must be hours such as "22:00-07:00", not "{found}"')
    return found


def _emergency(value: object) -> str:
    found = text(value)
    if not _EMERGENCY.fullmatch(found):
        raise ValueError(f'must be 2 to 6 digits, with X for any digit, not "{found}"')
    return found


def _header(value: object) -> str:
    found = text(value)
    if not _HEADER.fullmatch(found):
        raise ValueError(f'must be "default" or a header field such as "P-Asserted-Identity", not "{found}"')
    return found


def _regex(value: object) -> str:
    header_pattern(text(value))
    return text(value)


def _calling_code(value: object) -> str:
    found = text(value).removeprefix("+")
    if not found.isdecimal() or code_at(found) != found:
        raise ValueError(f'must be the calling code of a country such as "49", not "{found}"')
    return found


Money = Annotated[int, PlainValidator(whole_number(0, 1_000_000_000))]  # hundredths of the currency
Header = Annotated[str, PlainValidator(_header)]
Between = Annotated[tuple[Annotated[str, PlainValidator(text_up_to(50))], ...], Field(strict=False)]
Regex = Annotated[str, PlainValidator(_regex)]


class ProviderSection(Section):
    """One of `[[providers]]` (PRV-*). `password` None: the key is absent, what is stored stays."""

    id: Id
    # PRV-1: what the operator wants, where the office says nothing else; kept as the keys that it stands for.
    template: Annotated[str, PlainValidator(choice("", *TEMPLATES)), Field(exclude=True)] = ""
    host: Annotated[str, PlainValidator(host_or_empty)] = ""
    name: Name = ""
    # 0: DNS says it (RFC 3263); without SRV records 5060, with TLS 5061.
    port: Annotated[int, PlainValidator(whole_number(0, 65535))] = 0
    # PRV-6: any is UDP or TCP, as the provider's DNS prefers.
    transport: Annotated[str, PlainValidator(choice("any", "udp", "tcp", "tls"))] = "any"
    outbound_proxy: Annotated[str, PlainValidator(_proxy)] = ""
    kind: Annotated[str, PlainValidator(choice("register", "ip", "inbound_register"))] = "register"
    login: Login = ""
    password: Annotated[str | None, PlainValidator(text_up_to(255))] = Field(default=None, repr=False)
    # PRV-7: a line that is dead is known within a minute, and a question a minute disturbs nobody.
    qualify: Annotated[int, PlainValidator(_qualify)] = 60
    note: Note = ""
    disabled: bool = False
    addresses: Annotated[tuple[Annotated[str, PlainValidator(_address)], ...], Field(strict=False)] = ()
    dtmf: Annotated[str, PlainValidator(choice("auto", "auto_info", "rfc4733", "info", "inband"))] = "auto"
    srtp: Annotated[str, PlainValidator(choice("auto", "off", "optional", "required"))] = "auto"
    from_user: Login = ""
    from_domain: Annotated[str, PlainValidator(host_or_empty)] = ""
    # PRV-9: operators refuse calls from numbers that are not theirs, so the account is named unless they allow others.
    show_caller: bool = False
    identity: Annotated[str, PlainValidator(choice("none", "asserted", "preferred", "remote_party"))] = "none"
    max_calls: Annotated[int, PlainValidator(whole_number(0, 10_000))] = 0
    only: bool = False
    network: NetworkOrAny = ""
    cid_source: Header = "default"
    cid_between: Between = ()
    cid_regex: Regex = ""
    did_source: Header = "default"
    did_between: Between = ()
    did_regex: Regex = ""
    log_sources: bool = False
    script: ScriptOrNone = ""

    @field_validator("cid_between", "did_between")
    @classmethod
    def _are_two(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > 2:
            raise ValueError('must be at most two texts, before and after the number, such as ["DID:", ";"]')
        return value

    @model_validator(mode="before")
    @classmethod
    def _from_template(cls, values: object) -> object:
        return with_template(values) if isinstance(values, dict) else values


class OutboundRouteSection(Section):
    """One of `[[outbound_routes]]` (OUT-*), tried in their order."""

    name: RouteName
    provider: Id
    providers: Ids = ()
    order: Annotated[str, PlainValidator(choice("listed", "least_used"))] = "listed"
    prefix: Annotated[str, PlainValidator(text_up_to(64))] = ""
    rest: Annotated[int, PlainValidator(whole_number(-1, 20))] = -1
    rest_to: Annotated[int, PlainValidator(whole_number(0, 30))] = 0
    strip: Annotated[int, PlainValidator(whole_number(0, 30))] = 0
    prepend: Annotated[str, PlainValidator(_prepend)] = ""
    keep_plus: bool = False
    caller_id: OutsideNumber = ""
    only: bool = False
    note: Annotated[str, PlainValidator(text_up_to(1024))] = ""
    disabled: bool = False

    @field_validator("prefix")
    @classmethod
    def _is_template(cls, value: str) -> str:
        DialTemplate.of(value)
        return value


class OutboundSection(Section):
    """`[outbound]`."""

    # OUT-10: of Europe and Russia, and that of America, which many know from films.
    emergency: Annotated[tuple[Annotated[str, PlainValidator(_emergency)], ...], Field(strict=False)] = (
        OutboundPolicy().emergency
    )
    calls_a_day: Annotated[int, PlainValidator(whole_number(0, 100_000))] = 0
    minutes_a_day: Annotated[int, PlainValidator(whole_number(0, 1440))] = 0
    calls_to_one: Annotated[int, PlainValidator(whole_number(0, 100_000))] = 0
    locked: Annotated[tuple[Annotated[str, PlainValidator(_template)], ...], Field(strict=False)] = ()
    lock_hours: Annotated[str, PlainValidator(_hours)] = ""
    money_a_day: Money = 0
    minutes_a_call: Annotated[int, PlainValidator(whole_number(0, 1440))] = 0
    money_a_call: Money = 0
    warn_before: Annotated[int, PlainValidator(whole_number(0, 300))] = 30
    new_country: Annotated[str, PlainValidator(choice("allow", "alert", "stop"))] = "allow"
    countries: Annotated[tuple[Annotated[str, PlainValidator(_calling_code)], ...], Field(strict=False)] = ()
    off_hours_calendar: IdOrNone = ""
    off_hours_calls: Annotated[int, PlainValidator(whole_number(0, 100_000))] = 0
    off_hours_action: Annotated[str, PlainValidator(choice("alert", "stop"))] = "alert"
