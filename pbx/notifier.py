"""Subscriptions of terminals to what other numbers do: RFC 6665 with the packages of `pbx.packages`.

Only a terminal that has proved who it is subscribes, to a number that exists. Subscriptions outlive the server
(`pbx.lampkeeper`): after a restart each gets full state on its own, with higher CSeq and version. One that nobody knows
is answered 481, and the phone subscribes anew.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from pbx.accounts import MessageAccounts
from pbx.addressing import contact, dialled
from pbx.admission import Admission
from pbx.bus import Bus
from pbx.clock import Clock
from pbx.events import BusEvent, MessagesChanged, PresencePublished, RegistrationChange, RegistrationChanged
from pbx.lampkeeper import LampKeeper
from pbx.location import Location
from pbx.packages import CONFERENCE, Package, Packages
from pbx.party import ShownTo
from pbx.presence import Presence
from pbx.rosters import Rosters
from pbx.watch import ListWatch, RoomWatch, Topic, Watch
from sipcore.build import Extra, response_to
from sipcore.dialog.subscription import Subscription, SubscriptionPolicy
from sipcore.errors import ParseError
from sipcore.events import DocumentWanted, RequestArrived, SubscriptionEvent
from sipcore.flow import Flow
from sipcore.headers import Accept, Event
from sipcore.message import Request
from sipcore.presence.pidf_read import PublishedPresence
from sipcore.presence.rlmi import OPTION
from sipcore.register.outbound import supports
from sipcore.transport.driver import SipDriver
from sipcore.uri import SipUri
from storage.ports import SubscriptionStore
from storage.records import Conference, Terminal

MOST_PER_ACCOUNT = 500  # more than any phone has keys
POLICY = SubscriptionPolicy()
OF_NOTIFIER = frozenset((OPTION,))  # what a SUBSCRIBE may require


class Notifier:
    """One per server. `applications` are the numbers that are built in; `shown_to`: a party as a number may see it."""

    def __init__(
        self,
        driver: SipDriver,
        admission: Admission,
        location: Location,
        accounts: MessageAccounts,
        published: Callable[[str], PublishedPresence],
        store: SubscriptionStore,
        bus: Bus,
        clock: Clock,
        applications: Collection[str],
        shown_to: ShownTo = lambda _, party: party,
    ) -> None:
        self._driver, self._admission, self._applications = driver, admission, applications
        self._presence = Presence(bus, self._lines_changed)
        rosters = Rosters(bus, lambda number: self._changed((CONFERENCE, number)))
        self._packages = Packages(
            lambda: admission.directory, self._presence, location, accounts, published, clock, rosters, shown_to
        )
        self._keeper = LampKeeper(store, driver, location, lambda: admission.directory, clock)
        self._topics: dict[Topic, dict[Subscription, Watch]] = {}
        self._counts: Counter[str] = Counter()
        self._busy: set[str] = set()
        bus.subscribe([RegistrationChanged], self._registration_changed)
        bus.subscribe([MessagesChanged], self._messages_changed)
        bus.subscribe([PresencePublished], self._presence_published)

    @property
    def packages(self) -> str:
        """What Allow-Events says."""
        return self._packages.names

    # --- what the stack tells ---------------------------------------------------------------------------------------

    def subscribe(self, event: RequestArrived, watcher: Terminal) -> None:
        """Answer a SUBSCRIBE outside any dialog that `watcher` sent."""
        request = event.request
        try:
            package, lifetime_s = self._package(request), POLICY.lifetime(request)
            accepts, reachable = request.headers.all(Accept), isinstance(_target(request), SipUri)
        except ParseError as error:
            self._refuse(event, error.status)
            return
        number = dialled(request)
        if package is None:
            self._refuse(event, 489, [("Allow-Events", self.packages)])
        elif not reachable:
            self._refuse(event, 400)
        elif "accept" in request.headers and not any(each.allows(package.content_type) for each in accepts):
            self._refuse(event, 406, [("Accept", package.content_type)])
        elif not self._exists(number):
            self._refuse(event, 404)
        elif package.name == CONFERENCE and not self._meets(number):
            self._refuse(event, 489, [("Allow-Events", self.packages)])
        elif self._is_list(number) and not supports(request, OPTION):
            self._refuse(event, 421, [("Require", OPTION)])
        elif (package.is_private and number != watcher.number) or self._counts[watcher.number] >= MOST_PER_ACCOUNT:
            self._refuse(event, 403)
        elif lifetime_s is None:
            self._refuse(event, 423, [("Min-Expires", POLICY.min_s)])
        else:
            self._accept(event, self._watch(package, number, watcher.number, _host(request)), lifetime_s)

    def receive(self, event: SubscriptionEvent) -> None:
        """A document is wanted, or a subscription is over."""
        subscription = event.subscription
        watch = subscription.user
        assert isinstance(watch, Watch)
        if isinstance(event, DocumentWanted):
            now = self._driver.now()
            self._driver.stack.perform(subscription, subscription.document(*watch.document(subscription), now), now)
            if isinstance(watch, ListWatch) and watch.untold:
                self._driver.stack.perform(subscription, subscription.changed(now), now)
            self._keeper.keep(subscription, watch.watcher, watch.package.name, watch.number, watch.host)
        else:
            self._forget(subscription, watch)

    # --- what else happens ------------------------------------------------------------------------------------------

    def office_changed(self) -> None:
        """End what is about numbers that are gone, or was asked for by terminals that are."""
        for subscription, watch in self._all():
            if self._admission.directory.terminal(watch.watcher) is None:
                self._end(subscription, "rejected")
            elif not self._exists(watch.number) or (watch.package.name == CONFERENCE and not self._meets(watch.number)):
                self._end(subscription, "noresource")
            elif isinstance(watch, ListWatch) and watch.members != self._admission.directory.members_of(watch.number):
                self._tell(subscription, wholly=True)

    async def restore(self) -> int:
        """Take up the subscriptions of before the restart; returns how many."""
        taken_up: list[Subscription] = []
        for record in await self._keeper.stored():
            package, subscription = self._packages.find(record.package), self._keeper.thaw(record)
            if subscription is None:
                continue
            if package is None or not self._exists(record.number):
                self._keeper.forget(subscription)
                continue
            subscription.user = watch = self._watch(package, record.number, record.watcher, record.host)
            self._driver.stack.adopt(subscription)
            self._enter(subscription, watch)
            taken_up.append(subscription)
        self._keeper.tell(taken_up)
        return len(taken_up)

    def close(self) -> None:
        """The server stops; phones keep their subscriptions."""
        self._keeper.close()

    def summarises(self, number: str, flow: Flow) -> bool:
        """Whether a device on this path subscribes to what waits for `number`."""
        found = self._topics.get(("message-summary", number), ())
        return any(each.dialog.flow.remote == flow.remote for each in found)

    def describe(self) -> dict[str, int]:
        """Subscriptions by package."""
        counts: Counter[str] = Counter()
        for (package, _), found in self._topics.items():
            counts[package] += len(found)
        return dict(counts)

    def _lines_changed(self, number: str) -> None:
        self._changed(("dialog", number))
        if self._presence.is_busy(number) != (number in self._busy):
            self._busy ^= {number}
            self._changed(("presence", number))

    def _registration_changed(self, event: BusEvent) -> None:
        assert isinstance(event, RegistrationChanged)
        self._changed(("reg", event.number))
        if event.change in (RegistrationChange.ADDED, RegistrationChange.REFRESHED):
            self._keeper.registered(event.number)
        if event.change is not RegistrationChange.REFRESHED:
            self._changed(("presence", event.number))

    def _messages_changed(self, event: BusEvent) -> None:
        assert isinstance(event, MessagesChanged)
        self._changed(("message-summary", event.number))

    def _presence_published(self, event: BusEvent) -> None:
        assert isinstance(event, PresencePublished)
        self._changed(("presence", event.number))

    def _changed(self, topic: Topic) -> None:
        package, number = topic
        for subscription in self._topics.get(topic, ()):
            self._tell(subscription)
        for each in self._admission.directory.lists_with(number):
            for subscription, watch in self._topics.get((package, each), {}).items():
                if isinstance(watch, ListWatch):
                    watch.untold[number] = None
                self._tell(subscription)

    def _tell(self, subscription: Subscription, *, wholly: bool = False) -> None:
        now = self._driver.now()
        self._driver.stack.perform(subscription, subscription.changed(now, wholly=wholly), now)
        self._driver.kick()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _package(self, request: Request) -> Package | None:
        event = request.headers.first(Event)
        return self._packages.find(event.package) if event is not None else None

    def _exists(self, number: str) -> bool:
        directory = self._admission.directory
        is_switch = any(each.switch == number for each in directory.office.calendars)
        is_number = directory.entry(number) is not None or number in self._applications or is_switch
        return is_number or self._is_list(number)

    def _meets(self, number: str) -> bool:
        """Conferences are watched as such, by themselves or in a list."""
        return isinstance(self._admission.directory.entry(number), Conference) or self._is_list(number)

    def _is_list(self, number: str) -> bool:
        return self._admission.directory.members_of(number) is not None

    def _watch(self, package: Package, number: str, watcher: str, host: str) -> Watch:
        if not self._is_list(number):
            if package.name == CONFERENCE:
                return RoomWatch(package, number, watcher, host, self._packages.participants)
            return Watch(package, number, watcher, host)
        boundary = self._driver.stack.ids.tag
        return ListWatch(package, number, watcher, host, lambda: self._admission.directory, self._exists, boundary)

    def _accept(self, event: RequestArrived, watch: Watch, lifetime_s: int) -> None:
        stack, where, now = self._driver.stack, contact(watch.number, event.flow), self._driver.now()
        required = OPTION if isinstance(watch, ListWatch) else ""
        found = stack.accept_subscription(event.key, where, lifetime_s, POLICY, now, user=watch, required=required)
        if found is not None:
            self._enter(found, watch)

    def _enter(self, subscription: Subscription, watch: Watch) -> None:
        self._topics.setdefault(watch.topic, {})[subscription] = watch
        self._counts[watch.watcher] += 1

    def _forget(self, subscription: Subscription, watch: Watch) -> None:
        self._keeper.forget(subscription)
        found = self._topics[watch.topic]
        del found[subscription]
        if not found:
            del self._topics[watch.topic]
        self._counts[watch.watcher] -= 1
        if not self._counts[watch.watcher]:
            del self._counts[watch.watcher]

    def _end(self, subscription: Subscription, reason: str) -> None:
        now = self._driver.now()
        self._driver.stack.perform(subscription, subscription.end(now, reason), now)
        self._driver.kick()

    def _all(self) -> Iterable[tuple[Subscription, Watch]]:
        return [item for found in self._topics.values() for item in found.items()]

    def _refuse(self, event: RequestArrived, status: int, extra: Extra = ()) -> None:
        stack = self._driver.stack
        response = response_to(event.request, status, to_tag=stack.stateless_tag(event.request), extra=extra)
        stack.respond(event.key, response, self._driver.now())


def _target(request: Request) -> object:
    """Where a NOTIFY goes; None when the Contact says nowhere."""
    found = request.contact
    return found.sip_uri if found is not None else None


def _host(request: Request) -> str:
    """The name of ours that the subscriber used."""
    uri = request.uri
    return uri.host.strip("[]") if isinstance(uri, SipUri) else "localhost"
