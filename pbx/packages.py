"""The event packages that may be subscribed to, and the document each makes of what is known now."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from frozen import dataclass
from pbx.accounts import MessageAccounts
from pbx.addressing import bracketed
from pbx.clock import Clock
from pbx.directory import Directory
from pbx.events import Direction
from pbx.location import Location
from pbx.party import Party, ShownTo
from pbx.presence import Line, LineState, Presence
from pbx.rosters import Rosters
from pbx.supervision import may_supervise
from sipcore.presence import conference_info, dialog_info, mwi, pidf, reginfo
from sipcore.presence.conference_info import Description, Endpoint, Participant
from sipcore.presence.dialog_info import DialogParty, DialogView
from sipcore.presence.pidf_read import PublishedPresence
from storage.records import Conference

ON_THE_PHONE = "on-the-phone"
CONFERENCE = "conference"


@dataclass(frozen=True, slots=True)
class Package:
    """`is_private`: only the number itself may subscribe. `make` gives the body for (number, host, version,
    watcher)."""

    name: str
    content_type: str
    is_private: bool
    make: Callable[[str, str, int, str], bytes]


class Packages:
    """The documents of this server. `directory` is asked for each time: it is replaced when the office changes."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        presence: Presence,
        location: Location,
        accounts: MessageAccounts,
        published: Callable[[str], PublishedPresence],
        clock: Clock,
        rosters: Rosters,
        shown_to: ShownTo,
    ) -> None:
        self._rosters, self._shown_to = rosters, shown_to
        self._directory, self._presence, self._location, self._clock = directory, presence, location, clock
        self._accounts, self._published = accounts, published
        known = (
            Package("dialog", dialog_info.CONTENT_TYPE, False, self._dialogs),
            Package("presence", pidf.CONTENT_TYPE, False, self._presence_of),
            Package("message-summary", mwi.CONTENT_TYPE, True, self._messages),
            Package(CONFERENCE, conference_info.CONTENT_TYPE, False, self._conference),
            Package("reg", reginfo.CONTENT_TYPE, True, self._registrations),
        )
        self._by_name = {package.name: package for package in known}
        self.names = ", ".join(self._by_name)

    def find(self, name: str) -> Package | None:
        return self._by_name.get(name.lower())

    def _dialogs(self, number: str, host: str, version: int, watcher: str) -> bytes:
        """Everybody may know the name of a dialog that rings, to answer instead; of a talk only who may join it."""
        me, may_join = Party.unknown(number), watcher == number or may_supervise(self._directory(), watcher, number)
        if (terminal := self._directory().terminal(number)) is not None:
            me = self._directory().party(terminal)
        lines = self._presence.lines(number)
        views = [
            _view(
                line,
                me,
                self._shown_to(watcher, line.remote),
                host,
                is_named=may_join or line.state is LineState.EARLY,
            )
            for line in lines
        ]
        return dialog_info.dialog_info(uri_of(number, host), version, views)

    def _presence_of(self, number: str, host: str, *_: object) -> bytes:
        """What the server knows, and what the user's devices say: reachable means both."""
        terminal, published = self._directory().terminal(number), self._published(number)
        is_reachable = terminal is None or bool(self._location.targets(terminal))
        activities, note = published.activities, published.note
        if self._presence.is_busy(number):
            activities, note = (ON_THE_PHONE, *(each for each in activities if each != ON_THE_PHONE)), ""
        if not note:
            note = _in_words(activities) or ("Ready" if published.is_open is not False else "Not available")
        is_open = is_reachable and published.is_open is not False
        note = note if is_reachable else "Not registered"
        return pidf.pidf(uri_of(number, host), is_open=is_open, activities=activities, note=note)

    def _conference(self, number: str, host: str, version: int, watcher: str) -> bytes:
        entry, uri = self._directory().entry(number), uri_of(number, host)
        if not isinstance(entry, Conference):
            return conference_info.conference_gone(uri, version)
        room = Description(entry.name, entry.max_participants)
        return conference_info.conference_info(uri, version, room, self.participants(number, host, watcher))

    def participants(self, number: str, host: str, watcher: str) -> Sequence[Participant]:
        """Who is in a conference: people, each with its devices. Those who want privacy are told apart by nothing."""
        found: dict[str, tuple[str, list[Endpoint]]] = {}
        for member in self._rosters.of(number):
            seen = _visible(self._shown_to(watcher, member.party), host)
            uri = f"sip:anonymous{member.leg}@anonymous.invalid" if member.party.is_private else seen.uri
            joined_at = datetime.fromtimestamp(member.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            endpoint = Endpoint(str(member.leg), joined_at, member.is_muted, member.is_held)
            found.setdefault(uri, (seen.name, []))[1].append(endpoint)
        return [Participant(uri, name, tuple(endpoints)) for uri, (name, endpoints) in found.items()]

    def _messages(self, number: str, host: str, *_: object) -> bytes:
        return mwi.message_summary(uri_of(number, host), self._accounts.waiting(number))

    def _registrations(self, number: str, host: str, version: int, _: str) -> bytes:
        now = self._clock.now()
        alive = [binding for binding in self._location.bindings(number) if binding.expires_at > now]
        return reginfo.reginfo(uri_of(number, host), version, alive, now)


def uri_of(number: str, host: str) -> str:
    """The address of a number at the host by which the subscriber knows us."""
    return f"sip:{quote(number, safe='+*#')}@{bracketed(host)}"


def _visible(party: Party, host: str) -> DialogParty:
    """Whoever asked for privacy is not shown to watchers either (RFC 3323)."""
    if party.is_private:
        return DialogParty("sip:anonymous@anonymous.invalid", "Anonymous")
    return DialogParty(uri_of(party.shown_number, host), party.name)


def _in_words(activities: Sequence[str]) -> str:
    """The first activity as people read it."""
    return activities[0].replace("-", " ").capitalize() if activities else ""


def _view(line: Line, me: Party, other: Party, host: str, *, is_named: bool) -> DialogView:
    return DialogView(
        id=line.id,
        state=line.state.name.lower(),
        direction="initiator" if line.direction is Direction.INCOMING else "recipient",
        local=DialogParty(uri_of(me.number, host), me.name),
        remote=_visible(other, host),
        is_held=line.is_held,
        call_id=line.call_id if is_named else "",
        tags=line.tags,
    )
