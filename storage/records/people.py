"""People of the office and their terminals: who there is, and where calls to them go."""

from dataclasses import field

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """A person (USR-1): the root object of the office. `language` "": that of the office. `record`,
    `forward_to_mobile`: for all numbers of the person."""

    id: str
    name: str
    email: str = ""
    mobile: str = ""
    mobile_dial: str = ""
    position: str = ""
    location: str = ""
    role: str = "user"
    scope: tuple[str, ...] = ()
    record: bool = True
    forward_to_mobile: bool = True
    skills: tuple[str, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class Forward:
    """Where calls to a terminal go on to (FWD-1, FWD-16); targets are numbers or service numbers, "" is no rule.
    `ring_time` in seconds, 0: until the caller gives up. `callers`: the caller's number → target. `closed`: outside the
    hours of the terminal's calendar."""

    no_answer: str = ""
    busy: str = ""
    unavailable: str = ""
    always: str = ""
    ring_time: int = 45
    callers: dict[str, str] = field(default_factory=dict, hash=False)
    closed: str = ""


@dataclass(frozen=True, slots=True)
class Terminal:
    """A SIP account (EXT-*). The password stays out of `repr`, so it cannot reach a log by accident. `ringback`: the
    id of the sound that callers hear (RBT-1). `calendar`: the id of that of its hours (CAL-17), with
    `calendar_internal` for calls of colleagues too. `main`: of all numbers of its owner this one is on the card
    (USR-3); where none is, the first is. `line`: the external number over which its calls outside go first (EXT-17).
    `login`: the user name that its phones prove; empty: the number with the suffix of the office (EXT-3). Of this
    account alone (EXT-12): `permit` and `deny` are networks, of which the smallest that has an address decides;
    `codecs` are the only ones that its phones are offered; `headers` of calls to them; `variables` of calls from them,
    for scripts."""

    number: str
    owner: str = ""
    password: str = field(default="", repr=False)
    max_calls: int = 1
    max_contacts: int = 10
    dtmf: str = "auto"
    transport: str = "any"
    network: str = ""
    trust: str = ""
    disabled: bool = False
    srtp: str = "auto"
    ringback: str = ""
    record: bool = True
    forward: Forward = Forward()
    show_in_phonebook: bool = True
    public_access: bool = True
    calendar: str = ""
    calendar_internal: bool = False
    main: bool = False
    line: str = ""
    login: str = ""
    permit: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict, hash=False)
    variables: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class LocationGroup:
    """A room or a department (GRP-3); `parent` is the id of the one that it is in."""

    id: str
    name: str = ""
    parent: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class EmployeeGroup:
    """People with the same rights (GRP-5…9): `isolate` keeps calls, `isolate_pickup` pick-ups among `members` (ids of
    users) and the numbers of `patterns` (digits, X for any digit). They may call outside by the outbound `routes`
    (names; "*" is all, none: not at all, GRP-5) and are shown there as `caller_id`, or as `caller_ids` says for a route
    (GRP-6)."""

    id: str
    name: str = ""
    members: tuple[str, ...] = ()
    is_default: bool = False
    isolate: bool = False
    isolate_pickup: bool = False
    patterns: tuple[str, ...] = ()
    note: str = ""
    routes: tuple[str, ...] = ()
    caller_id: str = ""
    caller_ids: dict[str, str] = field(default_factory=dict, hash=False)
