"""A simulated day of an office: calls in and out with every outcome, as the history keeps them."""

from random import Random

from storage.records import CdrRow

T = 1_764_201_600.0  # 2025-11-27 00:00 UTC
LINES = (("telco", "74951234567"), ("telco", "78005553535"), ("other", "74990000000"))
TERMINALS = tuple(str(number) for number in range(101, 121))
CLIENTS = tuple(f"7916{number:07}" for number in range(700))


def day_of_calls(count: int, seed: int = 1) -> list[CdrRow]:
    """Rows in the order in which calls end."""
    random = Random(seed)
    rows: list[CdrRow] = []
    for number in range(count):
        at = T + random.random() * 86_400
        kind = random.choices(("in", "out", "internal"), (60, 30, 10))[0]
        rows += _OF[kind](random, f"c{number}", round(at, 3))
    return sorted(rows, key=lambda row: row.ended_at)


def _row(id: str, stage: str, at: float, ended: float, from_number: str, to: str, **values: object) -> CdrRow:
    plain: dict[str, object] = {"disposition": "NOANSWER", "cause": "cancelled"}
    return CdrRow(f"{id}-{stage}-{to}-{at}", id, at, round(ended, 3), from_number, to, stage=stage, **(plain | values))  # type: ignore[arg-type]


def _in(random: Random, id: str, at: float) -> list[CdrRow]:
    provider, line = random.choice(LINES)
    client, over = random.choice(CLIENTS), {"provider_in": provider, "external_number": line}
    end = at + random.randint(1, 9)
    rows = [_row(id, "incoming", at, end, client, line, **over)]
    if random.random() < 0.1:
        return rows
    if random.random() < 0.4:
        start, end = end, end + random.randint(2, 20)
        rows.append(_row(id, "ivr", start, end, client, "700", **over))
        if random.random() < 0.15:
            return rows
    queue_at = end if random.random() < 0.5 else None
    for _ in range(random.randint(1, 3)):
        agent, start = random.choice(TERMINALS), end
        end = start + random.randint(3, 15)
        is_answered = random.random() < 0.6
        talk = round(random.expovariate(1 / 120), 3) if is_answered else 0.0
        answered = {"disposition": "ANSWERED", "answered_at": end, "talk_seconds": talk, "cause": "normal"}
        rows.append(_row(id, "dial", start, end + talk, client, agent, **over, **(answered if is_answered else {})))
        if is_answered:
            break
    else:
        if random.random() < 0.3:
            start, end = end, end + 20
            left = {"recording": "r"} if random.random() < 0.5 else {}
            mailbox = {"disposition": "ANSWERED", "answered_at": start, "cause": "normal", **left}
            rows.append(_row(id, "voicemail", start, end, client, "voicemail", **over, **mailbox))
    if queue_at is not None:
        is_answered = rows[-1].stage == "dial" and rows[-1].disposition == "ANSWERED"
        values = {"disposition": "ANSWERED", "answered_at": rows[-1].answered_at} if is_answered else {}
        rows.append(_row(id, "queue", queue_at, max(row.ended_at for row in rows), client, "500", **over, **values))
    return rows


def _out(random: Random, id: str, at: float) -> list[CdrRow]:
    caller, client = random.choice(TERMINALS), random.choice(CLIENTS)
    rows, start = [], at
    for provider, line in random.sample(LINES, 2):
        over = {"provider_out": provider, "external_number": line}
        end = start + random.randint(1, 20)
        if random.random() < 0.1:
            rows.append(_row(id, "dial", start, end, caller, client, **over, disposition="FAILED", cause="peer_busy"))
            start = end
            continue
        talk = round(random.expovariate(1 / 90), 3) if random.random() < 0.7 else 0.0
        answered = {"disposition": "ANSWERED", "answered_at": end, "talk_seconds": talk, "cause": "normal"}
        rows.append(_row(id, "dial", start, end + talk, caller, client, **over, **(answered if talk else {})))
        break
    return rows


def _internal(random: Random, id: str, at: float) -> list[CdrRow]:
    a, b = random.sample(TERMINALS, 2)
    answered = {"disposition": "ANSWERED", "answered_at": at + 5, "talk_seconds": 30.0, "cause": "normal"}
    return [_row(id, "dial", at, at + 35, a, b, **(answered if random.random() < 0.8 else {}))]


_OF = {"in": _in, "out": _out, "internal": _internal}
