"""The surface that features see: everything a feature may import, and nothing else.

A feature is an app: a class with a `name`, a `stage` and a coroutine `run(call, ctx)` that controls one stage of a call
and returns the cause for which the call ends, or `GoTo` where it goes on; one that has rules tells by
`explain(asked, ctx)` what they make of a call that nobody makes. When the caller hangs up, the app is
interrupted at its current await: `finally` and `async with` undo what it did. What lives longer than one call (a queue,
a parking lot) is an object that its apps share; it is an `Observer` when it has to know of the server from the start.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from conf.calling_codes import calling_codes, home_code
from conf.countries import country_of
from conf.dial_template import DialTemplate
from media.api import FileSource, Playlist, PlaySource, SharedSource, ToneSource
from pbx.apps import BARRED, UNKNOWN, App, Apps, GoTo, Next, Tried, try_target
from pbx.arrival import Arrival
from pbx.bridge import Bridge
from pbx.bus import Bus, Detach
from pbx.calendars.keeper import Calendars
from pbx.call import Call
from pbx.cause import (
    ANSWERED_ELSEWHERE,
    BUSY,
    DECLINED,
    FORBIDDEN,
    LIMIT_REACHED,
    LOOP,
    NO_AGENT,
    NO_ANSWER,
    NORMAL,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    NOT_RESPONDING,
    PEER_BUSY,
    QUEUE_TIMEOUT,
    SERVER_ERROR,
    TIMEOUT,
    UNAVAILABLE,
    Cause,
    Disposition,
)
from pbx.collect import PLAYED, Collect, Collected, Why, collect
from pbx.control.messages import AgentView, QueueView, WaitingView
from pbx.dial import DialOutcome, OutsideMember, Ringing
from pbx.events import (
    AgentBreak,
    BridgeEnded,
    BridgeFormed,
    BusEvent,
    CallEnded,
    LegAnswered,
    LegEnded,
    LegHoldChanged,
    OutsideRefused,
    ProviderChanged,
    RegistrationChanged,
    RoomMember,
    RosterChanged,
)
from pbx.fax import FaxLine, NoFaxHere
from pbx.guests import is_guest
from pbx.hearing import Listening
from pbx.inquiry import Arrived, Inquiry
from pbx.leg import Leg
from pbx.mailbox_settings import TRIES as PIN_TRIES
from pbx.mailbox_settings import is_weak
from pbx.mailboxes import COMMON, HEARD, NEW, SAVED, SHORTEST_S, Mailboxes, box_for, own_box
from pbx.masks import is_substitute
from pbx.media_endpoint import MediaRefused
from pbx.number_rules import breadth
from pbx.number_rules import fits as fits_number
from pbx.party import Party, PartyKind
from pbx.prompts import Prompts
from pbx.recording import Recording, Wanted
from pbx.reports.spend import price
from pbx.room import Room
from pbx.routing import Considered, WayOut
from pbx.said import Said, say
from pbx.script.hosts import ScriptFailed, ScriptHost
from pbx.states import DO_NOT_DISTURB, States, owner_or_number
from pbx.tones import CountryTones
from storage.records import (
    CALL_CODES,
    Application,
    Calendar,
    CdrRow,
    Conference,
    ExternalNumber,
    Features,
    Group,
    InboundRule,
    Ivr,
    OffHours,
    Office,
    OutboundPolicy,
    Paging,
    Queue,
    ShortNumber,
    Terminal,
    User,
    VoicemailBox,
    VoiceMessage,
)


class AppContext(Protocol):
    """What an app may ask of the server."""

    @property
    def office(self) -> Office:
        """The office in force now."""

    @property
    def calls(self) -> Mapping[str, Call]:
        """Every call in progress, by id."""

    @property
    def draining(self) -> bool:
        """The server is about to stop."""

    @property
    def states(self) -> States:
        """What features remember over a restart."""

    @property
    def bus(self) -> Bus:
        """Tells what happens; what a feature has to tell is published there too."""

    @property
    def scripts(self) -> ScriptHost:
        """Where the scripts of applications run."""

    @property
    def mailboxes(self) -> Mailboxes:
        """Voice messages, and what owners of mailboxes have set by phone."""

    @property
    def calendars(self) -> Calendars:
        """Who is open when."""

    @property
    def prompts(self) -> Prompts:
        """What can be said, in the language of the office or of a party."""

    def now(self) -> float:
        """Monotonic seconds."""

    def wall(self) -> float:
        """UTC seconds."""

    async def ring(self, call: Call, *terminals: Terminal, how: Ringing = ...) -> DialOutcome:
        """Ring every contact of the terminals for the caller of `call`; the first answer wins."""

    def outside_party(self, number: str) -> Party | None:
        """Who is at a number outside; None when it is none."""

    def consider_outside(self, asked: Call | Inquiry | None, number: str) -> Sequence[Considered]:
        """What each rule for numbers outside makes of the number for this call, in order; None: for the office."""

    def employee_behind(self, asked: Call | Inquiry) -> Party | None:
        """For whom a call goes outside: who forwards, transfers or makes it; None for the office itself."""

    def seen_by(self, viewer: str, party: Party) -> Party:
        """A party as the terminal `viewer` may see it: a substitute may stand for its number."""

    def number_behind(self, substitute: str) -> str:
        """The number of a client that a substitute stands for; "" when it stands for none."""

    def obstacle(self, way: WayOut) -> Said | None:
        """Why a way outside cannot be used now, as a part of a sentence; None when it can."""

    async def dial_outside(self, call: Call, number: str, way: WayOut) -> DialOutcome:
        """Dial the number for the caller of `call` by one way. Raises `MediaRefused`."""

    async def talks_with(self, number: str, since_at: float, most: int) -> Sequence[CdrRow]:
        """Rows of the history in which somebody talked with that number, the newest first; none when it cannot be
        read."""

    def terminal(self, number: str) -> Terminal | None:
        """The enabled terminal with that number."""

    def party(self, terminal: Terminal) -> Party:
        """Who is at a terminal."""

    def owner(self, terminal: Terminal) -> User | None:
        """The person that a terminal belongs to."""

    def may_pick_up(self, picker: str, number: str) -> bool:
        """Whether the terminal `picker` may answer a call that rings at `number` (GRP-8)."""

    def may_supervise(self, watcher: str, watched: str) -> bool:
        """Whether the terminal `watcher` may hear what is said at `watched` (FEAT-26)."""

    @property
    def numbers(self) -> Collection[str]:
        """Every number of the office: of terminals, groups, queues, menus, conferences, …"""

    def is_reachable(self, terminal: Terminal) -> bool:
        """At least one phone of it is registered and answers."""

    def phones(self, terminal: Terminal) -> Sequence[str]:
        """Where its phones can be rung now, for people to read."""

    def calls_at(self, number: str) -> int:
        """How many calls the number takes part in now, ringing ones included."""

    def route(self, target: str) -> tuple[Party, App | None]:
        """Who is behind a target of the office, and the app that handles calls to it."""

    async def play_failure(self, call: Call, cause: Cause) -> None:
        """Let a caller who is answered already hear, by the tone of the country, why nothing comes of it."""

    def call_out(self, terminal: Terminal, to: Party, app: App, *, by_itself: bool = True) -> Call:
        """Ring a terminal, whose phone answers by itself if it can and shall, for a call of its own that `app`
        controls."""

    def call_outside(self, number: str, to: Party, app: App) -> Call:
        """Dial a number outside for the office itself: a call of its own that `app` controls once somebody answers."""

    def new_room(self, call: Call) -> Room:
        """A place where any number of legs hear each other; `call` is the one that needs it first."""

    def bridge(self, id: int) -> Bridge | None:
        """The bridge that an event names, as long as somebody talks there."""

    def transfer(self, mine: Leg, other: Leg, target: str) -> bool:
        """Send `other` to a target of the office without asking there; when nobody wants it, it rings at `mine` again.
        False when there is no such target, or one of them is being transferred already."""

    def consult(self, mine: Leg, other: Leg, target: str) -> bool:
        """Let `mine` talk to a target while `other` hears music; hanging up joins the two others."""

    def pick_up(self, ringing: Call, leg: Leg) -> bool:
        """Let an unanswered caller take the call that rings elsewhere; False when nothing rings there any longer."""

    @property
    def tones(self) -> CountryTones:
        """What the telephones of the country sound like."""

    def send_on(self, leg: Leg, party: Party, app: App) -> Call:
        """One party of a conversation goes on alone, in a call of its own controlled by `app`."""

    def sound(self, id: str) -> FileSource | None:
        """A sound of the office; None where it has none with that id."""

    def music(self, id: str) -> PlaySource:
        """A sound of the office as music that plays on for ever; that of who is held where there is none."""

    @property
    def hold_music(self) -> PlaySource:
        """What is heard by who is held; plays on for ever."""

    def play_hold(self, leg: Leg) -> None:
        """Music on hold until `leg.stop_plays()`."""

    def recording_path(self, call: Call, name: str) -> Path:
        """Where a recording of the call belongs: a name of its own below the data folder."""

    def listen(self, leg: Leg, phrases: Mapping[str, Sequence[str]]) -> Listening:
        """What the party says of the phrases, by key, counts as that key pressed, until it is stopped. Nothing is heard
        where no speech can be recognised."""

    def answer_for_fax(self, call: Call) -> None:
        """Answer the caller, who has been prepared, with a codec that faxes survive where there is one."""

    async def fax_line(self, leg: Leg) -> FaxLine:
        """Let a fax hear the party, and be heard, until it is closed; raises `NoFaxHere`."""

    async def prepare(self, call: Call) -> None:
        """Get media ports for the caller; needed before it can be answered. Raises `MediaRefused`."""


class Observer(Protocol):
    """What lives as long as the server: told once, before the first call."""

    async def begin(self, ctx: AppContext) -> None: ...

    async def end(self) -> None:
        """The server stops; calls have ended."""


__all__ = [
    "ANSWERED_ELSEWHERE",
    "BARRED",
    "BUSY",
    "CALL_CODES",
    "COMMON",
    "DECLINED",
    "DO_NOT_DISTURB",
    "FORBIDDEN",
    "HEARD",
    "LIMIT_REACHED",
    "LOOP",
    "NEW",
    "NORMAL",
    "NOT_ACCEPTABLE",
    "NOT_FOUND",
    "NOT_RESPONDING",
    "NO_AGENT",
    "NO_ANSWER",
    "PEER_BUSY",
    "PIN_TRIES",
    "PLAYED",
    "QUEUE_TIMEOUT",
    "SAVED",
    "SERVER_ERROR",
    "SHORTEST_S",
    "TIMEOUT",
    "UNAVAILABLE",
    "UNKNOWN",
    "AgentBreak",
    "AgentView",
    "App",
    "AppContext",
    "Application",
    "Apps",
    "Arrival",
    "Arrived",
    "Bridge",
    "BridgeEnded",
    "BridgeFormed",
    "BusEvent",
    "Calendar",
    "Calendars",
    "Call",
    "CallEnded",
    "Cause",
    "CdrRow",
    "Collect",
    "Collected",
    "Conference",
    "Considered",
    "Detach",
    "DialOutcome",
    "DialTemplate",
    "Disposition",
    "ExternalNumber",
    "FaxLine",
    "Features",
    "FileSource",
    "GoTo",
    "Group",
    "InboundRule",
    "Inquiry",
    "Ivr",
    "Leg",
    "LegAnswered",
    "LegEnded",
    "LegHoldChanged",
    "Listening",
    "Mailboxes",
    "MediaRefused",
    "Next",
    "NoFaxHere",
    "Observer",
    "OffHours",
    "Office",
    "OutboundPolicy",
    "OutsideMember",
    "OutsideRefused",
    "Paging",
    "Party",
    "PartyKind",
    "PlaySource",
    "Playlist",
    "Prompts",
    "ProviderChanged",
    "Queue",
    "QueueView",
    "Recording",
    "RegistrationChanged",
    "Ringing",
    "Room",
    "RoomMember",
    "RosterChanged",
    "Said",
    "ScriptFailed",
    "ScriptHost",
    "SharedSource",
    "ShortNumber",
    "States",
    "Terminal",
    "ToneSource",
    "Tried",
    "User",
    "VoiceMessage",
    "VoicemailBox",
    "WaitingView",
    "Wanted",
    "WayOut",
    "Why",
    "box_for",
    "breadth",
    "calling_codes",
    "collect",
    "country_of",
    "fits_number",
    "home_code",
    "is_guest",
    "is_substitute",
    "is_weak",
    "own_box",
    "owner_or_number",
    "price",
    "say",
    "try_target",
]
