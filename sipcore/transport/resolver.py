"""DNS for `sipcore.locate`: asks what it wants, remembers answers for their time, never waits on the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

from frozen import dataclass
from sipcore.locate import DeadTargets, Kind, NextHop, Question, Record, Target, Wanted, is_address, locate

MOST_ROUNDS = 8  # NAPTR, SRV, addresses: three; more only for a zone that plays with us
MOST_KEPT = 4096
SHORTEST_TTL_S, LONGEST_TTL_S = 1.0, 86400.0
LONGEST_NEGATIVE_S = 900.0  # RFC 2308 §5 allows hours; a provider that repairs its zone is found sooner
RETRY_S = 5.0  # a server that does not answer is not asked again for so long
STALE_S = 86400.0  # RFC 8767: an old answer is better than none while DNS is down


class LookupFailed(Exception):
    """No server gave an answer; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Found:
    """The records of one question (none: the name has none of that type) and for how long they hold."""

    records: tuple[Record, ...]
    ttl_s: float


class Lookup(Protocol):
    """Asks one question; raises `LookupFailed`."""

    async def __call__(self, question: Question) -> Found: ...


class LazyDns:
    """The DNS client, loaded beside the event loop when the first name has to be found: most offices need none."""

    def __init__(self, servers: Sequence[tuple[str, int]] = ()) -> None:
        self._servers = servers
        self._client: Lookup | None = None

    async def __call__(self, question: Question) -> Found:
        if self._client is None:
            module = await asyncio.to_thread(import_module, "sipcore.transport.dns_client")
            self._client = module.DnsClient(self._servers)
        assert self._client is not None
        return await self._client(question)


@dataclass(frozen=True, slots=True)
class Located:
    """Where to send, in order; empty with a sentence that says why."""

    targets: tuple[Target, ...]
    why: str = ""


@dataclass(slots=True)
class _Kept:
    records: tuple[Record, ...]
    expires_at: float
    stale_at: float
    why: str = ""


class Resolver:
    """Answers `locate` for the whole server; the same question is under way once."""

    def __init__(self, lookup: Lookup, fraction: Callable[[], float]) -> None:
        self._lookup, self._fraction = lookup, fraction
        self._loop = asyncio.get_running_loop()
        self._kept: dict[Question, _Kept] = {}
        self._asking: dict[Question, asyncio.Task[_Kept]] = {}
        self.dead = DeadTargets()
        self.asked = self.failed = 0

    async def locate(
        self, hop: NextHop, transports: Sequence[str], families: Sequence[Kind] = (Kind.A, Kind.AAAA)
    ) -> Located:
        """The targets of a next hop, those that failed lately last; a literal address asks nobody."""
        known: dict[Question, tuple[Record, ...]] = {}
        why = ""
        for _ in range(MOST_ROUNDS):
            found = locate(hop, known, transports=transports, families=families, fraction=self._fraction)
            if not isinstance(found, Wanted):
                return self._located(hop, found, transports, why)
            for question, kept in zip(found.questions, await self._ask_all(found.questions), strict=True):
                known[question] = kept.records
                why = kept.why or why
        return Located((), f'the DNS records of "{hop.host}" lead in a circle')

    async def addresses(self, host: str, families: Sequence[Kind] = (Kind.A,)) -> Located:
        """The addresses of a host name, as targets without a port."""
        if is_address(host):
            return Located((Target("", host, 0, host),))
        answers = await self._ask_all([Question(kind, host.lower().rstrip(".")) for kind in families])
        found = [record for kept in answers for record in kept.records if isinstance(record, str)]
        why = next((kept.why for kept in answers if kept.why), "") or f'there is no host "{host}"'
        return Located(tuple(Target("", each, 0, host) for each in found), "" if found else why)

    def _located(self, hop: NextHop, found: tuple[Target, ...], transports: Sequence[str], why: str) -> Located:
        if found:
            return Located(self.dead.ordered(found, self._loop.time()))
        if is_address(hop.host) or (hop.transport and hop.transport not in transports):
            return Located((), f"there is no listener for {hop.transport or 'a transport that this address allows'}")
        return Located((), why or f'there is no host "{hop.host}"')

    async def _ask_all(self, questions: Sequence[Question]) -> list[_Kept]:
        return list(await asyncio.gather(*map(self._ask, questions)))

    async def _ask(self, question: Question) -> _Kept:
        kept = self._kept.get(question)
        if kept is not None and kept.expires_at > self._loop.time():
            return kept
        task = self._asking.get(question)
        if task is None:
            task = self._asking[question] = asyncio.ensure_future(self._fetch(question, kept))
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        return await asyncio.shield(task)

    async def _fetch(self, question: Question, old: _Kept | None) -> _Kept:
        self.asked += 1
        try:
            found = await self._lookup(question)
        except LookupFailed as error:
            return self._keep(question, self._without_answer(old, str(error)))
        longest = LONGEST_TTL_S if found.records else LONGEST_NEGATIVE_S
        now = self._loop.time()
        until = now + min(max(found.ttl_s, SHORTEST_TTL_S), longest)
        return self._keep(question, _Kept(found.records, until, until + STALE_S))

    def _without_answer(self, old: _Kept | None, why: str) -> _Kept:
        """What was true before, for a while; else nothing."""
        self.failed += 1
        now = self._loop.time()
        if old is not None and old.records and now < old.stale_at:
            return _Kept(old.records, now + RETRY_S, old.stale_at)
        return _Kept((), now + RETRY_S, now, why)

    def _keep(self, question: Question, kept: _Kept) -> _Kept:
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[question] = kept
        return kept

    async def close(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def describe(self) -> dict[str, object]:
        """Questions asked, those without an answer, answers kept."""
        return {"asked": self.asked, "failed": self.failed, "kept": len(self._kept)}
