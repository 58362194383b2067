"""A DNS server on a loopback address: one zone, real datagrams, a thread of its own."""

import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "ns.test. admin.test. 1 3600 600 86400 {negative}"


class DnsServer:
    """`records` maps (name, type) to texts as in a zone file. `asked` counts the questions; while `is_silent` nothing
    is answered."""

    def __init__(self, *, host: str = "127.0.0.1", ttl_s: int = 60, negative_ttl_s: int = 30) -> None:
        self.ttl_s, self._negative = ttl_s, negative_ttl_s
        self.records: dict[tuple[str, str], list[str]] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.is_silent = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def set(self, name: str, kind: str, *texts: str) -> None:
        self.records[name, kind] = list(texts)

    def _serve(self) -> None:
        while True:
            try:
                data, source = self._socket.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            answer = self._answer(dns.message.from_wire(data))
            if not self.is_silent:
                with suppress(OSError):
                    self._socket.sendto(answer, source)

    def _answer(self, query: dns.message.Message) -> bytes:
        asked = query.question[0]
        name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
        self.asked[name, kind] += 1
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        texts = self.records.get((name, kind))
        if texts:
            response.answer.append(dns.rrset.from_text(asked.name, self.ttl_s, "IN", kind, *texts))
        else:
            if not any(known == name for known, _ in self.records):
                response.set_rcode(dns.rcode.NXDOMAIN)
            soa = SOA.format(negative=self._negative)
            response.authority.append(
                dns.rrset.from_text(dns.name.from_text("test."), self._negative, "IN", "SOA", soa)
            )
        return response.to_wire()
