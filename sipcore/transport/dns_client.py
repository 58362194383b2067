"""Questions to real DNS servers by dnspython: retries, truncation and TCP are its business. Names of the machine's own
hosts file go before DNS, as in every other program."""

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from sipcore.locate import Kind, Naptr, Question, Record, Srv
from sipcore.transport.resolver import Found, LookupFailed

TRY_S, LIFETIME_S = 2.0, 5.0
HOSTS_TTL_S = 10.0
HOSTS = Path("/etc/hosts")
_LOOPBACK = {Kind.A: "127.0.0.1", Kind.AAAA: "::1"}


class DnsClient:
    """A `Lookup`. `servers` are addresses and ports; none: those of the system."""

    def __init__(self, servers: Sequence[tuple[str, int]] = (), hosts: Path = HOSTS) -> None:
        self._hosts = hosts
        self._resolver = self._made(servers)

    @staticmethod
    def _made(servers: Sequence[tuple[str, int]]) -> dns.asyncresolver.Resolver | None:
        try:
            resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration:
            return None
        if servers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        resolver.timeout, resolver.lifetime = TRY_S, LIFETIME_S
        return resolver

    async def __call__(self, question: Question) -> Found:
        own = self._own(question)
        if own:
            return Found(own, HOSTS_TTL_S)
        if self._resolver is None:
            raise LookupFailed("this machine has no DNS server: set [sip] dns, or /etc/resolv.conf")
        try:
            name = dns.name.from_text(question.name)
            answer = await self._resolver.resolve(name, question.kind.value, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN as error:
            return Found((), _negative_ttl(error))
        except dns.exception.Timeout:
            raise LookupFailed(f'no DNS server answered the question for "{question.name}"') from None
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise LookupFailed(f'DNS could not tell about "{question.name}": {type(error).__name__}') from None
        records = [_record(question.kind, each) for each in answer.rrset or ()]
        return Found(tuple(records), float(answer.chaining_result.minimum_ttl))

    def _own(self, question: Question) -> tuple[str, ...]:
        """Addresses that need no server: localhost (RFC 6761 §6.3) and the hosts file."""
        loopback = _LOOPBACK.get(question.kind)
        if loopback is None:
            return ()
        if question.name == "localhost":
            return (loopback,)
        try:
            lines = self._hosts.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ()
        version = 4 if question.kind is Kind.A else 6
        return tuple(address for line in lines for address in _named(line, question.name, version))


def _named(line: str, name: str, version: int) -> Sequence[str]:
    address, *names = line.partition("#")[0].split() or [""]
    try:
        is_wanted = name in (each.lower() for each in names) and ip_address(address).version == version
    except ValueError:
        return ()
    return (address,) if is_wanted else ()


def _negative_ttl(error: dns.resolver.NXDOMAIN) -> float:
    """RFC 2308 §5: the smaller of the SOA's own lifetime and its minimum field."""
    responses: dict[object, Any] = error.kwargs["responses"]
    return min((float(each.resolve_chaining().minimum_ttl) for each in responses.values()), default=0.0)


def _record(kind: Kind, data: Any) -> Record:
    if kind is Kind.NAPTR:
        flags, service = (text.decode("ascii", "replace") for text in (data.flags, data.service))
        return Naptr(data.order, data.preference, flags, service, data.replacement.to_text(omit_final_dot=True))
    if kind is Kind.SRV:
        return Srv(data.priority, data.weight, data.port, data.target.to_text(omit_final_dot=True))
    return str(data.address)
