"""Who subscribed to what, and the document that is due to them: of one number, or of a list of numbers (RFC 4662).

Of a list, and of a conference (RFC 4575), the subscriber is told all when it asks, and then only what has changed. What
does not fit into one NOTIFY of a list follows in the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pbx.directory import Directory
from pbx.packages import Package, uri_of
from sipcore.dialog.subscription import Subscription
from sipcore.presence.conference_info import Participant, conference_change
from sipcore.presence.rlmi import Resource, resource_list

MOST_BYTES = 16_384  # of documents in one NOTIFY
Topic = tuple[str, str]  # package, number
Document = tuple[str, bytes]  # its type and what it says


@dataclass(eq=False, slots=True)
class Watch:
    """`number` is what is watched, `watcher` who does so, `host` the name of ours that it used."""

    package: Package
    number: str
    watcher: str
    host: str

    @property
    def topic(self) -> Topic:
        return self.package.name, self.number

    def document(self, subscription: Subscription) -> Document:
        """What is to be sent now."""
        return self.package.content_type, self.package.make(self.number, self.host, subscription.version, self.watcher)


@dataclass(eq=False, slots=True)
class RoomWatch(Watch):
    """`number` is a conference. `told` is who was there when the subscriber heard of it last."""

    participants: Callable[[str, str, str], Sequence[Participant]]
    told: Sequence[Participant] = ()

    def document(self, subscription: Subscription) -> Document:
        earlier, self.told = self.told, self.participants(self.number, self.host, self.watcher)
        if subscription.wants_full:
            return Watch.document(self, subscription)
        uri = uri_of(self.number, self.host)
        return self.package.content_type, conference_change(uri, subscription.version, self.told, earlier)


@dataclass(eq=False, slots=True)
class ListWatch(Watch):
    """`number` names a list. `untold` are the numbers of which the subscriber has yet to hear."""

    directory: Callable[[], Directory]
    exists: Callable[[str], bool]
    boundary: Callable[[], str]
    members: tuple[str, ...] = ()
    untold: dict[str, None] = field(default_factory=dict)

    def document(self, subscription: Subscription) -> Document:
        is_full = subscription.wants_full
        if is_full:
            self.members = self.directory().members_of(self.number) or ()
            self.untold = dict.fromkeys(self.members)
        told = self._told(subscription.version)
        resources = [told.get(number) or self._entry(number) for number in (self.members if is_full else told)]
        uri = uri_of(self.number, self.host)
        return resource_list(uri, subscription.version, resources, is_full=is_full, boundary=self.boundary())

    def _told(self, version: int) -> dict[str, Resource]:
        """As many of the untold as fit."""
        found, size = dict[str, Resource](), 0
        for number in list(self.untold):
            if size >= MOST_BYTES:
                break
            del self.untold[number]
            found[number] = entry = self._entry(number, version)
            size += len(entry.document or b"")
        return found

    def _entry(self, number: str, version: int | None = None) -> Resource:
        """With its document when `version` is given."""
        uri = uri_of(number, self.host)
        if not self.exists(number):
            return Resource(uri, is_gone=True)
        terminal = self.directory().terminal(number)
        name = self.directory().party(terminal).name if terminal is not None else ""
        document = self.package.make(number, self.host, version, self.watcher) if version is not None else None
        return Resource(uri, name, self.package.content_type, document)
