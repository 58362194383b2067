"""The yardstick for signalling: a fixed piece of plain Python, of the kind that every SIP server does per message.

CPU times drift by tens of per cent between machines and minutes; the ratio to this, measured beside, does not. The
workload must never change: ratios of different versions are compared through it.
"""

import hashlib
import statistics
import time

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


if __name__ == "__main__":
    print(f"one unit of the reference takes {reference_us():.2f} µs of CPU time")
