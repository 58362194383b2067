"""The yardsticks for signalling: fixed pieces of plain Python, of the kind that every SIP server does per message.

CPU times drift by tens of per cent between machines and minutes; the ratio to these, measured beside, does not. The
workloads must never change: ratios of different versions are compared through them.

`reference_us` is for what keeps a server busy. What comes now and then finds the caches cold and waits for memory,
which neither a faster interpreter nor a faster core helps: the ratio to `woken_us` says the same where that differs.
"""

import hashlib
import random
import statistics
import time
from functools import cache

_MESSAGE = (
    "REGISTER sip:pbx.example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bKnashds7;rport\r\n"
    "Max-Forwards: 70\r\n"
    'From: "Bob" <sip:bob@pbx.example.com>;tag=456248\r\n'
    "To: <sip:bob@pbx.example.com>\r\n"
    "Call-ID: 843817637684230@998sdasdh09\r\n"
    "CSeq: 1826 REGISTER\r\n"
    "Contact: <sip:bob@192.0.2.4>\r\n"
    "Expires: 7200\r\n"
    "User-Agent: Reference\r\n"
    "Content-Length: 0\r\n\r\n"
)
_BATCH = 2000


def unit(index: int) -> str:
    """Split a message into headers, compute a digest over some of them, build an answer."""
    head, _, _ = _MESSAGE.partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    secret = hashlib.md5(f"bob:pbx.example.com:{index}".encode()).hexdigest()
    proof = hashlib.md5(f"{secret}:{headers['call-id']}:{start}".encode()).hexdigest()
    answer = [f"{name}: {headers[name]}" for name in ("via", "from", "to", "call-id", "cseq")]
    return "\r\n".join(["SIP/2.0 200 OK", *answer, f"X-Proof: {proof}", "", ""])


def reference_us(batches: int = 7) -> float:
    """CPU µs of one unit now: the median of some batches."""
    times = []
    for _ in range(batches):
        start = time.process_time_ns()
        for index in range(_BATCH):
            unit(index)
        times.append((time.process_time_ns() - start) / 1000 / _BATCH)
    return statistics.median(times)


class _Thing:
    """An object with what objects of a server have: a mapping, a text, another object."""

    __slots__ = ("counts", "next", "text")

    def __init__(self, number: int) -> None:
        self.counts, self.text, self.next = {"seen": number}, str(number), self


@cache
def _world() -> list[_Thing]:
    """Some 20 MB of objects, none beside its next: more than any cache near a core holds."""
    chance, things = random.Random(1), [_Thing(number) for number in range(60_000)]
    for each in things:
        each.next = chance.choice(things)
    chance.shuffle(things)
    return things


def woken_us(times: int = 600) -> float:
    """CPU µs of two units of the reference and a walk over 150 objects, by who is woken every 3 ms to do so: the mean
    of two seconds. Run it beside the work, not before and after: what others do to the caches changes by the second."""
    things, used_ns = _world(), 0
    for index in range(times):
        time.sleep(0.003)
        start = time.thread_time_ns()
        for at in range(150 * index, 150 * index + 150):
            thing = things[at % len(things)]
            thing.counts["seen"] += len(thing.next.text)
        unit(index)
        unit(index + 1)
        used_ns += time.thread_time_ns() - start
    return used_ns / times / 1000


if __name__ == "__main__":
    print(f"one unit of the reference takes {reference_us():.2f} µs of CPU time")
