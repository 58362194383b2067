"""Providers in `office.toml`."""

import re
from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator

from conf.fields import choice, host, host_or_empty, text, text_up_to, whole_number
from conf.model import Section
from conf.office_fields import Id, Name, Note

_LOGIN = re.compile(r"[A-Za-z0-9+._@-]{1,128}")


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

    id: Id
    host: Annotated[str, PlainValidator(host)]
    name: Name = ""
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
    note: Note = ""
    disabled: bool = False
