"""What a machine's step asks of whoever drives it. Steps return tuples of these and do nothing else."""

from typing import NamedTuple

from sipcore.flow import Flow
from sipcore.message import Request, Response
from sipcore.transaction.keys import Key


class Send(NamedTuple):
    """Put these bytes on that path."""

    data: bytes
    flow: Flow


class Received(NamedTuple):
    """A client transaction has a response for its user, a 2xx of an INVITE each time it comes."""

    response: Response


class TimedOut(NamedTuple):
    """No (final) response came in time: treat it as a 408 (RFC 3261 §8.1.3.1)."""


class FlowFailed(NamedTuple):
    """The transport could not deliver: treat it as a 503 (RFC 3261 §8.1.3.1)."""


class AckMissing(NamedTuple):
    """A final response to an INVITE was never acknowledged (Timer H)."""


class AckReceived(NamedTuple):
    """The ACK that ends a non-2xx INVITE transaction, or any ACK in Accepted (RFC 6026)."""

    ack: Request


class SendRequest(NamedTuple):
    """Start a client transaction on that path; with `owner` its outcome comes back to the machine that asks,
    otherwise nobody wants to know."""

    request: Request
    flow: Flow
    branch: str
    owner: bool = True


class Respond(NamedTuple):
    """Answer a server transaction."""

    key: Key
    response: Response


class CancelInvite(NamedTuple):
    """CANCEL the INVITE that was sent with this branch; `reason` becomes its Reason header."""

    branch: str
    reason: str


class AbandonInvite(NamedTuple):
    """Nobody waits for the outcome of the INVITE that was sent with this branch: do not keep it for ever."""

    branch: str


class Tell(NamedTuple):
    """An event for the user of the stack (`sipcore.events`)."""

    event: object


class Finished(NamedTuple):
    """Forget the machine: it is terminated."""


FINISHED = Finished()
Action = (
    Send
    | Received
    | TimedOut
    | FlowFailed
    | AckMissing
    | AckReceived
    | SendRequest
    | Respond
    | CancelInvite
    | AbandonInvite
    | Tell
    | Finished
)
Actions = tuple[Action, ...]
NOTHING: Actions = ()
