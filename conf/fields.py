"""Checks of single values: what TOML gave becomes a typed value, or a `ValueError` with a sentence is raised."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Generic, TypeVar

from conf.model import NOT_AVAILABLE, did_you_mean, kind_of
from frozen import dataclass

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*\.?"
)


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """A check that can tell what it takes: `schema` is JSON Schema, for editors and scripts."""

    read: Callable[[object], T]
    schema: Mapping[str, object] = field(hash=False)

    def __call__(self, value: object) -> T:
        return self.read(value)


@dataclass(frozen=True, slots=True)
class Listen:
    """An IP address of this machine and a port; port 0 takes any free one. The host `*` is every address of both
    families, as far as the machine has them."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Server:
    """Another SIP server: transport, IP address and port."""

    transport: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.transport}:{Listen(self.host, self.port)}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def text(value: object) -> str:
    """Text without control characters."""
    if not isinstance(value, str):
        raise ValueError(f"must be text in quotes, not {kind_of(value)}")
    if not value.isprintable():
        raise ValueError("must not contain line breaks or control characters")
    return value


def text_up_to(limit: int, at_least: int = 0) -> Check[str]:
    def check(value: object) -> str:
        found = text(value)
        if len(found) > limit:
            raise ValueError(f"must be at most {limit} characters long, not {len(found)}")
        if len(found.strip()) < at_least:
            raise ValueError("must not be empty" if at_least == 1 else f"must be at least {at_least} characters long")
        return found

    return Check(check, {"type": "string", "minLength": at_least, "maxLength": limit})


def ascii_text(value: object) -> str:
    """Text that may stand in a SIP header between quotes."""
    found = text_up_to(100)(value)
    if not found.isascii() or '"' in found or "\\" in found:
        raise ValueError('may hold only ASCII characters without " and \\')
    return found


def whole_number(lowest: int, highest: int | None = None) -> Check[int]:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            found = value if isinstance(value, float) else kind_of(value)
            raise ValueError(f"must be a whole number, not {found}")
        if value < lowest:
            raise ValueError(f"must be at least {lowest}, not {value}")
        if highest is not None and value > highest:
            raise ValueError(f"must be at most {highest}, not {value}")
        return value

    above = {} if highest is None else {"maximum": highest}
    return Check(check, {"type": "integer", "minimum": lowest, **above})


def choice(*available: str, later: tuple[str, ...] = ()) -> Check[str]:
    """One of `available`; `later` are words of the public contract whose function does not exist yet."""
    offered = ", ".join(f'"{word}"' for word in available)

    def check(value: object) -> str:
        found = text(value)
        if found in later:
            raise ValueError(f'"{found}" is {NOT_AVAILABLE}; use one of {offered}')
        if found not in available:
            raise ValueError(f'must be one of {offered}, not "{found}"' + did_you_mean(found, list(available)))
        return found

    return Check(check, {"type": "string", "enum": list(available)})


def listen_address(value: object) -> Listen:
    """`0.0.0.0:5060` or `[::]:5060`."""
    found = text(value)
    host, colon, port = found.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f'must be an address and a port such as "0.0.0.0:5060", not "{found}"')
    if int(port) > 65535:
        raise ValueError(f"port {port} does not exist; the highest is 65535")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ValueError(f'"{host}" is not an IP address; use one of this machine, or "0.0.0.0" for all') from None
    if bracketed != (address.version == 6):
        raise ValueError('an IPv6 address, and only that, stands in brackets: "[::]:5060"')
    return Listen(str(address), int(port))


def listen_everywhere(value: object) -> Listen:
    """The same, or `*:5060`."""
    found = text(value)
    if not found.startswith("*:"):
        return listen_address(found)
    return Listen("*", listen_address(f"0.0.0.0{found[1:]}").port)


_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


def listen_or_none(value: object) -> Listen | None:
    """Nothing, or where to listen."""
    return None if value == "" else listen_address(value)


def origin(value: object) -> str:
    """What a browser sends as Origin: `https://phone.example.com`; `*` is any page, `null` a page without a host."""
    found = text(value).lower()
    if found not in ("*", "null") and not _ORIGIN.fullmatch(found):
        raise ValueError(f'must be an origin such as "https://phone.example.com" or "*", not "{found}"')
    return found


def signature(value: object) -> str:
    """A piece of text that is looked for in messages; a short one would be found everywhere."""
    found = ascii_text(value)
    if len(found.strip()) < 4:
        raise ValueError(f'must have at least 4 characters, or harmless messages are dropped too: "{found}"')
    return found


def server_or_none(value: object) -> Listen | None:
    """Nothing, or the IP address and port of a server."""
    return None if value == "" else server(value)


def server(value: object) -> Listen:
    """The IP address and port of a server."""
    found = listen_address(value)
    if not found.port:
        raise ValueError("port 0 reaches nobody; give the port on which the server listens")
    return found


def sip_server(value: object) -> Server:
    """`udp:10.0.0.5:5060`, as the ready line of that server has it; `10.0.0.5:5060` is udp."""
    found = text(value)
    transport, colon, where = found.partition(":")
    if not colon or transport not in ("udp", "tcp", "tls"):
        transport, where = "udp", found
    try:
        listen = listen_address(where)
    except ValueError:
        listen = Listen("", 0)
    if listen.host in ("", "0.0.0.0", "::") or not listen.port:
        raise ValueError(f'must be a transport, an IP address and a port such as "udp:10.0.0.5:5060", not "{found}"')
    return Server(transport, listen.host, listen.port)


def web_address_or_empty(value: object) -> str:
    """Nothing, or an http or https URL."""
    found = text(value)
    if found and not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(?:/[!-~]*)?", found):
        raise ValueError(f'must be a web address such as "https://push.example.com/wake", not "{found}"')
    return found


_ROUTE = re.compile(
    r"sips?:(?:[A-Za-z0-9_.~*+-]{1,64}@)?(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:;[a-z]+(?:=[a-z0-9]+)?)*"
)


def route(value: object) -> str:
    """A SIP URI of a proxy that routes loosely, as a name-addr: `sip:10.0.0.4:5060;lr`."""
    found = text(value)
    if not _ROUTE.fullmatch(found) or "lr" not in found.split(";")[1:]:
        raise ValueError(f'must be the SIP URI of a proxy such as "sip:10.0.0.4:5060;lr", not "{found}"')
    return f"<{found}>"


def port_range(value: object) -> PortRange:
    """`10000-19999`; room for at least one call of two legs with two ports each."""
    found = text(value)
    parts = re.fullmatch(r"(\d{1,5})-(\d{1,5})", found)
    if not parts:
        raise ValueError(f'must be two port numbers such as "10000-19999", not "{found}"')
    first, last = int(parts[1]), int(parts[2])
    if first < 1024 or last > 65535:
        raise ValueError("ports must lie between 1024 and 65535")
    if last - first < 3:
        raise ValueError("must hold at least four ports: a call has two sides with two ports each")
    return PortRange(first, last)


def network(value: object) -> Network:
    """A network in CIDR notation; a single address is a network of one."""
    found = text(value)
    try:
        loose = ipaddress.ip_network(found, strict=False)
    except ValueError:
        raise ValueError(f'must be a network such as "192.168.1.0/24", not "{found}"') from None
    if ipaddress.ip_address(found.partition("/")[0]) != loose.network_address:
        raise ValueError(f'"{found}" is an address inside a network; the network is "{loose}"')
    return loose


def host_or_empty(value: object) -> str:
    """Nothing, an IP address, or a host name."""
    found = text(value)
    if not found:
        return ""
    try:
        return str(ipaddress.ip_address(found))
    except ValueError:
        last_label = found.rstrip(".").rpartition(".")[2]
        if not _HOST_NAME.fullmatch(found) or last_label.isdecimal():
            raise ValueError(f'must be an IP address or a host name without a port, not "{found}"') from None
    return found


_WITH_PORT = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<name>[^:]+)):[0-9]{1,5}")


def external_host(value: object) -> str:
    """The same; a port behind it has no meaning and goes (REG-7)."""
    found = text(value)
    with_port = _WITH_PORT.fullmatch(found)
    return host_or_empty((with_port["ipv6"] or with_port["name"]) if with_port is not None else found)


def ip_address_or_empty(value: object) -> str:
    """Nothing, or an IP address, with or without a port that has no meaning."""
    found = external_host(value)
    if found and not is_ip_address(found):
        raise ValueError(f'must be an IP address, not "{found}"')
    return found


def is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def host(value: object) -> str:
    """An IP address or a host name."""
    found = host_or_empty(value)
    if not found:
        raise ValueError("must not be empty: give an IP address or a host name")
    return found


_EMAIL = re.compile(r"[^@\s<>\"]+@[^@\s<>\".]+(?:\.[^@\s<>\".]+)*")


def email_or_empty(value: object) -> str:
    """Nothing, or the address of a mailbox."""
    found = text_up_to(255)(value)
    if found and not _EMAIL.fullmatch(found):
        raise ValueError(f'must be an e-mail address, not "{found}"')
    return found


def domain(value: object) -> str:
    """A host name, as SIP URIs have it behind the @."""
    found = host(value).lower().rstrip(".")
    if found.replace(".", "").isdecimal() or ":" in found:
        raise ValueError(f'must be a host name such as "office.example.com", not the address "{found}"')
    return found


def storage_url(value: object) -> str:
    """`sqlite:///file` relative to the data folder, `sqlite:////path/file` absolute, or `postgresql://…`."""
    found = text(value)
    if found.startswith("postgresql://"):
        return found
    path = found.removeprefix("sqlite:///")
    if "@" in found:  # not said as it is: there is a password
        raise ValueError('must be "postgresql://USER:PASSWORD@HOST/NAME"')
    if path == found or not path or path.endswith("/"):
        raise ValueError(f'must be "sqlite:///FILE" or "postgresql://USER:PASSWORD@HOST/NAME", not "{found}"')
    if ":memory:" in path or "?" in path:
        raise ValueError("must name a file and nothing else: what is kept in memory is lost at the end")
    return found
