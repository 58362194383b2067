"""What is no mistake in `office.toml` and yet may not be meant: told when it is saved, and by `zvon check`."""

from storage.records import Office, Queue


def advice(office: Office, known: Office | None = None) -> tuple[str, ...]:
    """A sentence for each that was not there in the office `known`."""
    before = {said for queue in (known.queues if known is not None else ()) for said in advice_on(queue)}
    return tuple(said for queue in office.queues for said in advice_on(queue) if said not in before)


def advice_on(entry: object) -> tuple[str, ...]:
    """The same of one entry."""
    match entry:
        case Queue(number=number, max_wait=wait, timeout_target="") if wait:  # AMB-5
            return (f"callers of queue {number} are hung up after {wait} s: it has no timeout_target",)
        case _:
            return ()
