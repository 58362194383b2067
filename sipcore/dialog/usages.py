"""The usages of dialogs that a stack holds (RFC 5057), found by the request or machine that belongs to them."""

from collections import Counter

from sipcore.dialog.refer import ReferSubscription
from sipcore.dialog.session import InviteSession
from sipcore.dialog.session_table import State
from sipcore.dialog.subscription import Subscription
from sipcore.message import Request
from sipcore.transaction.base import ClientBase, ServerBase

Usage = InviteSession | Subscription | ReferSubscription


class Usages:
    """Sessions, subscriptions and the implicit subscriptions of REFERs, each under its dialog."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str], InviteSession] = {}
        self._subscriptions: dict[tuple[str, str], Subscription] = {}
        self._refers: dict[tuple[str, str, int], ReferSubscription] = {}

    def add(self, usage: Usage) -> None:
        if isinstance(usage, InviteSession):
            self._sessions[usage.request.call_id, usage.local_tag] = usage
        elif isinstance(usage, Subscription):
            self._subscriptions[usage.dialog.call_id, usage.dialog.local_tag] = usage
        else:
            self._refers[usage.key] = usage

    def remove(self, usage: Usage) -> None:
        if isinstance(usage, InviteSession):
            self._sessions.pop((usage.request.call_id, usage.local_tag), None)
        elif isinstance(usage, Subscription):
            self._subscriptions.pop((usage.dialog.call_id, usage.dialog.local_tag), None)
        else:
            self._refers.pop(usage.key, None)

    def session_of(self, request: Request) -> InviteSession | None:
        """The session of a request inside a dialog: our tag is in To, the peer's in From (§12.2.2)."""
        session = self._sessions.get((request.call_id, request.to_tag or ""))
        if session is None:
            return None
        dialog = session.dialog
        if dialog is not None and dialog.remote_tag != (request.from_tag or ""):
            return None
        return session

    def session_under(self, call_id: str, local_tag: str) -> InviteSession | None:
        """The session of one of our own dialogs."""
        return self._sessions.get((call_id, local_tag))

    def subscription_of(self, request: Request) -> Subscription | None:
        """The subscription of a request inside its dialog."""
        found = self._subscriptions.get((request.call_id, request.to_tag or ""))
        return found if found is not None and found.dialog.remote_tag == (request.from_tag or "") else None

    def owner_of(self, transaction: ServerBase | ClientBase) -> Usage | None:
        """Whose transaction it is, for one that comes from another stack."""
        request = transaction.request
        if isinstance(transaction, ServerBase):
            return self.session_of(request) if request.to_tag else None
        ours = (request.call_id, request.from_tag or "")
        if request.method == "NOTIFY" and ours in self._subscriptions:
            return self._subscriptions[ours]
        if request.method == "NOTIFY":
            event = request.headers.get("event")
            return next((each for each in self._refers.values() if each.key[:2] == ours and each.event == event), None)
        session = self._sessions.get(ours)
        if session is None:
            return None
        of_fork = session.dialog is not None and request.to_tag not in (None, session.dialog.remote_tag)
        return None if of_fork else session

    def all(self) -> list[Usage]:
        """In the order in which another stack can take them over."""
        return [*self._sessions.values(), *self._subscriptions.values(), *self._refers.values()]

    @property
    def alive(self) -> int:
        """Sessions that are not over, and subscriptions whose end is still to be told: those that go on can wait."""
        open_sessions = sum(session.state is not State.ENDED for session in self._sessions.values())
        return open_sessions + sum(each.is_ending for each in self._subscriptions.values())

    def __bool__(self) -> bool:
        return bool(self._sessions or self._subscriptions or self._refers)

    def describe(self) -> dict[str, object]:
        """Live dump: sessions by state, numbers of the others."""
        states = Counter(session.state.name.lower() for session in self._sessions.values())
        return {"sessions": dict(states), "subscriptions": len(self._subscriptions), "refers": len(self._refers)}
