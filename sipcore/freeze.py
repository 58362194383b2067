"""Machines as bytes and back, so that a call outlives the process that signalled it.

`freeze(machine)` makes JSON of a machine's plain data, `thaw(data)` the same machine again: forms list what each
machine holds, so nothing is pickled and nothing but a machine can come out. Moments are those of the freezing process;
`shift_s` moves them onto another monotonic clock. What belongs to the user of a machine (`user`, `owner`) is not
frozen: `SipStack.adopt` joins machines again. Our own registrations are made anew by another process, which replaces
them where they are kept, so no password is written here. Anything that is no such document raises `ParseError`.
"""

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from enum import IntEnum
from typing import Any, NoReturn

from frozen import dataclass
from sipcore.dialog import modify, offer_answer, refer, reliable, session_table, session_timer, subscription, update
from sipcore.dialog.dialog import Dialog
from sipcore.dialog.offer_answer import OfferAnswer
from sipcore.dialog.profile import SessionProfile
from sipcore.dialog.refer import ReferSubscription
from sipcore.dialog.reliable import ReliableProvisional
from sipcore.dialog.session import InviteSession
from sipcore.dialog.session_early import EarlyDialog
from sipcore.dialog.session_timer import SessionTimer
from sipcore.dialog.subscription import Subscription, SubscriptionPolicy
from sipcore.dialog.success import SuccessRetransmission
from sipcore.dialog.update import PlainUpdate
from sipcore.errors import LocalProtocolError, ParseError
from sipcore.flow import Flow
from sipcore.headers import Path
from sipcore.ids import IdSource
from sipcore.message import Request
from sipcore.parse import parse_message
from sipcore.register.binding import Binding
from sipcore.timers import TimerConfig
from sipcore.transaction import client, invite_client, invite_server, server
from sipcore.transaction.base import Transaction
from sipcore.uri import SipUri, parse_uri

VERSION = 2
_MOST = 1e15  # seconds; far beyond any clock, and exact as a float
Machine = (
    Dialog
    | InviteSession
    | Subscription
    | ReferSubscription
    | SuccessRetransmission
    | SessionTimer
    | PlainUpdate
    | ReliableProvisional
    | EarlyDialog
    | OfferAnswer
    | Binding
    | Transaction
)


def freeze(machine: Machine) -> bytes:
    """The machine's plain data as a JSON document."""
    kind = type(machine).__name__
    form = _FORMS.get(kind)
    if form is None or not isinstance(machine, form.kind):
        raise LocalProtocolError(f"{kind} is no machine that can be frozen")
    document = {"version": VERSION, "kind": kind, "data": form.write(machine)}
    return json.dumps(document, separators=(",", ":")).encode()


def thaw(data: bytes, *, ids: IdSource | None = None, shift_s: float = 0.0) -> Any:
    """The machine that was frozen, its moments moved by `shift_s`. A session goes on with `ids`."""
    document = _document(data)
    form = _FORMS.get(document["kind"]) if isinstance(document["kind"], str) else None
    if form is None or document["version"] != VERSION:
        raise ParseError("the frozen machine is of an unknown kind or version")
    if form.kind in (InviteSession, Subscription, ReferSubscription) and ids is None:
        raise LocalProtocolError("a session cannot go on without a source of ids")
    machine = form.read(document["data"], shift_s)
    if isinstance(machine, InviteSession | Subscription | ReferSubscription) and ids is not None:
        machine._ids = ids
    return machine


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ParseError("the frozen machine is no JSON document") from None
    if not isinstance(document, dict) or document.keys() != {"version", "kind", "data"}:
        raise ParseError("the frozen machine is no document of ours")
    return document


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)


# --- how one value is written and read ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Codec:
    """`write` makes plain JSON of a value, `read` the value again (the second argument: seconds to shift moments)."""

    write: Callable[[Any], Any]
    read: Callable[[Any, float], Any]


def _plain(kind: type) -> _Codec:
    return _Codec(lambda value: value, lambda value, _: _typed(value, kind))


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ParseError(f"a frozen value is no {kind.__name__}")
    return value


def _read_number(value: Any, _: float) -> float:
    if type(value) not in (int, float) or not -_MOST < value < _MOST:
        raise ParseError("a frozen value is no number")
    return float(value)


def _read_bytes(value: Any, _: float) -> bytes:
    try:
        return b64decode(_typed(value, str), validate=True)
    except (Base64Error, ValueError):
        raise ParseError("frozen bytes are damaged") from None


def _read_request(value: Any, shift_s: float) -> Request:
    message = parse_message(_read_bytes(value, shift_s))
    if not isinstance(message, Request):
        raise ParseError("a frozen request is none")
    return message


def _read_sip_uri(value: Any, _: float) -> SipUri:
    uri = parse_uri(_typed(value, str))
    if not isinstance(uri, SipUri):
        raise ParseError("a frozen contact is no SIP URI")
    return uri


def _maybe(inner: _Codec) -> _Codec:
    return _Codec(
        lambda value: None if value is None else inner.write(value),
        lambda value, shift_s: None if value is None else inner.read(value, shift_s),
    )


def _enum(kind: type[IntEnum]) -> _Codec:
    names = kind.__members__

    def read(value: Any, _: float) -> IntEnum:
        if not isinstance(value, str) or value not in names:
            raise ParseError(f"a frozen value is no {kind.__name__}")
        return names[value]

    return _Codec(lambda value: value.name, read)


def _tuple(inner: _Codec) -> _Codec:
    return _Codec(
        lambda value: [inner.write(item) for item in value],
        lambda value, shift_s: tuple([inner.read(item, shift_s) for item in _typed(value, list)]),
    )


def _dict(inner: _Codec) -> _Codec:
    return _Codec(
        lambda value: {key: inner.write(item) for key, item in value.items()},
        lambda value, shift_s: {key: inner.read(item, shift_s) for key, item in _typed(value, dict).items()},
    )


_TEXT, _INT, _BOOL = _plain(str), _plain(int), _plain(bool)
_NUMBER = _Codec(lambda value: value, _read_number)
_MOMENT = _Codec(lambda value: value, lambda value, shift_s: _read_number(value, shift_s) + shift_s)
_BYTES = _Codec(lambda value: b64encode(value).decode("ascii"), _read_bytes)
_REQUEST = _Codec(lambda value: _BYTES.write(bytes(value)), _read_request)
_URI = _Codec(str, lambda value, _: parse_uri(_typed(value, str)))
_SIP_URI = _Codec(str, _read_sip_uri)
_PATH = _Codec(str, lambda value, _: Path.parse(_typed(value, str)))
_KEY = _tuple(_TEXT)


# --- what each machine holds ----------------------------------------------------------------------------------


class _Form:
    """All that a kind of object holds, by codec; `users` are attributes that stay with the user and come back empty."""

    def __init__(self, kind: type, *fields: tuple[_Codec, str], users: str = "") -> None:
        self.kind = kind
        self.codecs = {name: codec for codec, names in fields for name in names.split()}
        self.users = tuple(users.split())

    def write(self, value: Any) -> dict[str, Any]:
        return {name: codec.write(getattr(value, name)) for name, codec in self.codecs.items()}

    def read(self, data: Any, shift_s: float) -> Any:
        if not isinstance(data, dict) or data.keys() != self.codecs.keys():
            raise ParseError(f"a frozen {self.kind.__name__} lacks something or holds too much")
        value: Any = object.__new__(self.kind)
        for name, codec in self.codecs.items():
            object.__setattr__(value, name, codec.read(data[name], shift_s))
        for name in self.users:
            object.__setattr__(value, name, None)
        return value

    @property
    def codec(self) -> _Codec:
        return _Codec(self.write, self.read)


def _read_address(value: Any, _: float) -> tuple[str, int]:
    if not isinstance(value, list) or [type(part) for part in value] != [str, int]:
        raise ParseError("a frozen value is no address")
    return value[0], value[1]


_ADDRESS = _Codec(list, _read_address)
_FLOW = _Form(Flow, (_TEXT, "transport"), (_ADDRESS, "local remote"), (_INT, "id"), (_BOOL, "by_address")).codec
_TIMERS = _Form(TimerConfig, (_NUMBER, "t1 t2 t4 patience_s")).codec
_PROFILE = _Form(
    SessionProfile, (_TEXT, "contact agent supported allow"), (_TIMERS, "timers"), (_INT, "session_expires_s min_se_s")
).codec
_OFFERS = _Form(OfferAnswer, (_enum(offer_answer.State), "state"), (_BOOL, "agreed"))
_SUCCESS = _Form(
    SuccessRetransmission,
    (_BYTES, "_data"),
    (_FLOW, "_flow"),
    (_NUMBER, "_interval _t2"),
    (_INT, "cseq"),
    (_MOMENT, "_give_up_at"),
    (_maybe(_MOMENT), "deadline"),
)
_DIALOG = _Form(
    Dialog,
    (_TEXT, "call_id local local_tag remote remote_tag"),
    (_URI, "remote_target"),
    (_tuple(_TEXT), "route_set"),
    (_INT, "local_cseq remote_cseq"),
    (_FLOW, "flow"),
)
_TIMER = _Form(
    SessionTimer,
    (_enum(session_timer.State), "state"),
    (_INT, "interval_s min_se_s _wanted_s _raises"),
    (_maybe(_MOMENT), "_refresh_at _expires_at deadline"),
)
_FIELDS = _tuple(_tuple(_TEXT))
_UPDATE = _Form(
    PlainUpdate,
    (_enum(update.State), "state"),
    (_FIELDS, "fields"),
    (_maybe(_FIELDS), "_next"),
    (_INT, "cseq _tries"),
    (_BOOL, "is_refresh"),
    (_maybe(_MOMENT), "deadline"),
)
_RELIABLE = _Form(
    ReliableProvisional,
    (_enum(reliable.State), "state"),
    (_BYTES, "_data _next_sdp"),
    (_FLOW, "_flow"),
    (_NUMBER, "_interval"),
    (_MOMENT, "_give_up_at"),
    (_INT, "rseq _next_status"),
    (_FIELDS, "_next_fields"),
    (_BOOL, "has_sdp is_known"),
    (_maybe(_MOMENT), "deadline"),
)
_EARLY = _Form(
    EarlyDialog, (_DIALOG.codec, "dialog"), (_OFFERS.codec, "offers"), (_INT, "rseq"), (_BYTES, "remote_sdp")
)
_SESSION = _Form(
    InviteSession,
    (_enum(session_table.Role), "role"),
    (_enum(session_table.State), "state"),
    (_enum(modify.State), "_change"),
    (_REQUEST, "request"),
    (_maybe(_REQUEST), "_change_request"),
    (_FLOW, "flow"),
    (_PROFILE, "profile"),
    (_maybe(_DIALOG.codec), "dialog"),
    (_OFFERS.codec, "_offers"),
    (_dict(_EARLY.codec), "_early"),
    (_maybe(_RELIABLE.codec), "_reliable"),
    (_maybe(_SUCCESS.codec), "_success"),
    (_KEY, "key _change_key"),
    (_TEXT, "branch local_tag _cancel_reason _change_branch _change_method _followed"),
    (_maybe(_TEXT), "_end_reason"),
    (_BOOL, "_told _by_peer _proceeding _cancel_sent _refreshing _peer_updates _answered_early _hears"),
    (_INT, "_change_cseq _change_rseq _challenges"),
    (_BYTES, "_change_sdp _change_answer _local_sdp _remote_sdp"),
    (_maybe(_TIMER.codec), "_timer"),
    (_UPDATE.codec, "_update"),
    (_FIELDS, "_change_extra _answer_extra _digits"),
    (_dict(_BYTES), "_acks"),
    (_maybe(_MOMENT), "_retry_at _part_at"),
    (_INT, "reports"),
    users="user queued_at _ids digest",
)
_POLICY = _Form(SubscriptionPolicy, (_INT, "min_s default_s max_s"), (_NUMBER, "rest_s")).codec
_SUBSCRIPTION = _Form(
    Subscription,
    (_enum(subscription.State), "state"),
    (_DIALOG.codec, "dialog"),
    (_TEXT, "event contact agent required _reason"),
    (_POLICY, "policy"),
    (_NUMBER, "interval_s"),
    (_INT, "version _retry_after_s"),
    (_BOOL, "wants_full _changed"),
    (_maybe(_MOMENT), "_expires_at _rest_at"),
    (_MOMENT, "_sent_at"),
    users="user queued_at _ids",
)
_REFER = _Form(
    ReferSubscription,
    (_enum(refer.State), "state"),
    (_DIALOG.codec, "dialog"),
    (_FLOW, "flow"),
    (_PROFILE, "profile"),
    (_INT, "id _status"),
    (_TEXT, "_reason"),
    (_maybe(_MOMENT), "deadline"),
    users="queued_at _ids",
)
_BINDING = _Form(
    Binding,
    (_SIP_URI, "contact"),
    (_TEXT, "call_id user_agent node"),
    (_maybe(_TEXT), "instance"),
    (_INT, "cseq"),
    (_maybe(_INT), "reg_id"),
    (_NUMBER, "q"),
    (_MOMENT, "expires_at registered_at"),
    (_BOOL, "reachable"),
    (_tuple(_PATH), "path"),
    (_maybe(_ADDRESS), "received"),
    (_maybe(_FLOW), "flow"),
)


def _transaction(kind: type, states: type[IntEnum], *more: tuple[_Codec, str]) -> _Form:
    return _Form(
        kind,
        (_KEY, "key"),
        (_REQUEST, "request"),
        (_FLOW, "flow"),
        (_enum(states), "state"),
        (_maybe(_MOMENT), "deadline"),
        (_TIMERS, "_timers"),
        (_BYTES, "_data"),
        (_NUMBER, "_interval"),
        (_MOMENT, "_give_up_at"),
        *more,
        users="owner queued_at",
    )


_FORMS = {
    form.kind.__name__: form
    for form in (
        *(_DIALOG, _SESSION, _SUBSCRIPTION, _REFER, _SUCCESS, _OFFERS, _TIMER, _UPDATE, _RELIABLE, _EARLY, _BINDING),
        _transaction(client.ClientTransaction, client.State),
        _transaction(
            invite_client.InviteClientTransaction, invite_client.State, (_BYTES, "ack"), (_BOOL, "_abandoned")
        ),
        _transaction(server.ServerTransaction, server.State),
        _transaction(invite_server.InviteServerTransaction, invite_server.State),
    )
}
