"""What the stack tells its user. Sessions and transactions are referred to by their objects and keys."""

from typing import TYPE_CHECKING

from frozen import dataclass
from sipcore.flow import Flow
from sipcore.message import Request, Response
from sipcore.transaction.keys import Key

if TYPE_CHECKING:
    from sipcore.dialog.session import InviteSession
    from sipcore.dialog.subscription import Subscription


@dataclass(frozen=True, slots=True)
class RequestArrived:
    """A request outside any INVITE session; answer it with `SipStack.respond(key, …)`."""

    key: Key
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class InviteArrived:
    """A new INVITE: refuse it with `respond`, or take it with `accept_session`."""

    key: Key
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class InviteWithdrawn:
    """The INVITE was cancelled (or its flow failed) before it became a session."""

    key: Key


@dataclass(frozen=True, slots=True)
class ResponseArrived:
    """A response to a request sent with `SipStack.send`; `response` is None when none came (408) or the flow
    failed (503), which `status` tells."""

    user: object
    status: int
    response: Response | None


@dataclass(frozen=True, slots=True)
class SessionProgress:
    """A provisional response other than 100. `tag` tells forks apart; `sdp` is empty without early media, and for all
    forks but the first that has some."""

    session: "InviteSession"
    status: int
    sdp: bytes
    tag: str


@dataclass(frozen=True, slots=True)
class SessionAnswered:
    """Our INVITE was answered with 2xx and acknowledged. `sdp` is the peer's answer; empty when a reliable response
    told it before."""

    session: "InviteSession"
    sdp: bytes
    response: Response


@dataclass(frozen=True, slots=True)
class SessionConfirmed:
    """The peer acknowledged our 2xx (first INVITE or a later one); `sdp` is its answer when our 2xx had the offer."""

    session: "InviteSession"
    sdp: bytes


@dataclass(frozen=True, slots=True)
class OfferReceived:
    """The peer wants to change the session: answer with `accept_offer` or `refuse_offer`. Empty `sdp`: it asks us
    to make the offer."""

    session: "InviteSession"
    sdp: bytes
    request: Request


@dataclass(frozen=True, slots=True)
class SessionModified:
    """The outcome of our `modify`: 200 with the answer in `sdp`, or the status of the refusal."""

    session: "InviteSession"
    status: int
    sdp: bytes


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """The outcome of our `update` without an offer: the status of the response."""

    session: "InviteSession"
    status: int


@dataclass(frozen=True, slots=True)
class UpdateReceived:
    """The peer sent UPDATE without an offer, which was answered: its header fields may say who it is now."""

    session: "InviteSession"
    request: Request


@dataclass(frozen=True, slots=True)
class SessionRefreshed:
    """The peer answered a refresh of ours with another description than before: `sdp`."""

    session: "InviteSession"
    sdp: bytes


@dataclass(frozen=True, slots=True)
class InfoDigit:
    """The peer sent a digit by INFO, `0-9*#A-D`."""

    session: "InviteSession"
    digit: str


@dataclass(frozen=True, slots=True)
class ReferReceived:
    """The peer asks us to call somebody else: answer with `SipStack.accept_refer` or `respond(key, …)`."""

    session: "InviteSession"
    key: Key
    request: Request


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session is over. `status` is the final response, 200 for a BYE, 487 for CANCEL, 408 when the peer fell
    silent, 503 when it could not be reached; `reason` is the text of its Reason header; `response` the refusal."""

    session: "InviteSession"
    status: int
    reason: str = ""
    by_peer: bool = True
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class DocumentWanted:
    """A NOTIFY is due: perform `Subscription.document`, the state of now (RFC 6665 §4.2.2)."""

    subscription: "Subscription"


@dataclass(frozen=True, slots=True)
class SubscriptionEnded:
    """Nothing more is sent on it."""

    subscription: "Subscription"


SubscriptionEvent = DocumentWanted | SubscriptionEnded
SessionEvent = (
    SessionProgress
    | SessionAnswered
    | SessionConfirmed
    | OfferReceived
    | SessionModified
    | SessionRefreshed
    | SessionUpdated
    | UpdateReceived
    | InfoDigit
    | ReferReceived
    | SessionEnded
)
StackEvent = RequestArrived | InviteArrived | InviteWithdrawn | ResponseArrived | SessionEvent | SubscriptionEvent
