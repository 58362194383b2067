"""Plan and export: what comes out of one goes into the other."""

import re
import string
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from conf.diff import Plan, plan
from conf.export import export_office
from conf.load import parse_office
from conf.office_namespace import RESERVED_NUMBERS
from storage.records import (
    OFFICE_LISTS,
    Application,
    Callback,
    Conference,
    EmployeeGroup,
    Features,
    Forward,
    ForwardingPolicy,
    Group,
    Ivr,
    LocationGroup,
    MissedCallsPolicy,
    Office,
    OutboundPolicy,
    OutboundRoute,
    Paging,
    Parking,
    Provider,
    Queue,
    RecordingPolicy,
    ShortNumber,
    Sound,
    Terminal,
    User,
    VoicemailBox,
    VoicemailPolicy,
)

names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
ids = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
passwords = st.text(string.printable[:94], max_size=12).map(lambda tail: f"Aa1-{tail}aaaaa")
networks = st.sampled_from(["", "192.0.2.7", "192.0.2.0/24", "2001:db8::/32"])
users = st.builds(
    User,
    id=ids,
    name=names,
    email=st.sampled_from(["", "a@b.example"]),
    record=st.booleans(),
    forward_to_mobile=st.booleans(),
    language=st.sampled_from(["", "ru"]),
    skills=st.lists(ids, max_size=2).map(tuple),
    mobile_dial=st.sampled_from(["", "79161234567", "*8#"]),
    position=st.just("") | names,
    location=st.just("") | ids,
    role=st.sampled_from(["user", "administrator", "supervisor"]),
)

providers = st.builds(
    Provider,
    id=ids,
    host=st.sampled_from(["sip.example.net", "192.0.2.1", "2001:db8::1"]),
    name=st.just("") | names,
    port=st.sampled_from([0, 5060, 65535]),
    transport=st.sampled_from(["any", "udp", "tcp", "tls"]),
    outbound_proxy=st.sampled_from(["", "proxy.example.net", "[2001:db8::2]:5080"]),
    kind=st.sampled_from(["register", "ip"]),
    login=st.text(string.digits, min_size=1, max_size=8),
    password=st.just("") | names,
    qualify=st.sampled_from([0, 10, 60]),
    note=st.just("") | names,
    disabled=st.booleans(),
    addresses=st.sampled_from([(), ("192.0.2.16/28", "2001:db8::1")]),
    dtmf=st.sampled_from(["auto", "info"]),
    srtp=st.sampled_from(["auto", "required"]),
    from_user=st.sampled_from(["", "7495"]),
    from_domain=st.sampled_from(["", "example.net"]),
    show_caller=st.booleans(),
    identity=st.sampled_from(["none", "asserted"]),
    max_calls=st.integers(0, 10),
    only=st.booleans(),
    network=st.sampled_from(["", "192.0.2.0/24"]),
    cid_source=st.sampled_from(["default", "Remote-Party-ID"]),
    cid_between=st.sampled_from([(), ("<", ">")]),
    cid_regex=st.sampled_from(["", "([0-9]+)"]),
    did_source=st.sampled_from(["default", "X-Did"]),
    did_between=st.sampled_from([(), ("did:",)]),
    did_regex=st.sampled_from(["", "(?P<number>[0-9]{5})"]),
    log_sources=st.booleans(),
)


texts = st.just("") | names


def routes_over(providers: list[Provider]) -> st.SearchStrategy[OutboundRoute]:
    known = st.sampled_from([each.id for each in providers])
    return st.builds(
        OutboundRoute,
        name=names,
        provider=known,
        providers=st.lists(known, max_size=2).map(tuple),
        order=st.sampled_from(["listed", "least_used"]),
        prefix=st.sampled_from(["", "7XX", "[7-8]{1}"]),
        rest=st.integers(-1, 20),
        strip=st.integers(0, 30),
        prepend=st.sampled_from(["", "+7", "8"]),
        keep_plus=st.booleans(),
        caller_id=st.sampled_from(["", "+74951234567"]),
        only=st.booleans(),
        note=texts,
        disabled=st.booleans(),
    )


TAKEN = {*RESERVED_NUMBERS, "890", *(str(slot) for slot in range(891, 900))}
sound_ids = st.sampled_from(["", "hello", "tune"])
SOUNDS = (Sound("hello", "/s/hello.wav", name="Hello", note="said first"), Sound("tune", "/s/tune.mp3", music=True))


def targets(numbers: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(["hangup", "busy", "voicemail", "did2user", "+79161234567", "79161234567", *numbers])


def forwards(numbers: list[str]) -> st.SearchStrategy[Forward]:
    maybe = st.just("") | targets(numbers)
    callers = st.dictionaries(st.sampled_from(["101", "+74951234567"]), targets(numbers), max_size=2)
    return st.builds(Forward, maybe, maybe, maybe, maybe, st.integers(0, 180), callers)


def groups_of(terminals: list[str]) -> st.SearchStrategy[Group]:
    return st.builds(
        Group,
        number=st.just("8800"),
        name=texts,
        note=texts,
        members=st.lists(st.sampled_from(terminals), unique=True).map(tuple) if terminals else st.just(()),
        strategy=st.sampled_from(["ringall", "linear", "random"]),
        ring_time=st.integers(1, 300),
        ignore_forwarding=st.booleans(),
        timeout_target=st.just("") | targets(terminals),
    )


def queues_of(terminals: list[str]) -> st.SearchStrategy[Queue]:
    agents = st.lists(st.sampled_from([*terminals, "+79161234567"]), unique=True).map(tuple)
    return st.builds(
        Queue,
        number=st.just("8801"),
        short_name=st.sampled_from(["", "консультация 2"]),
        separator=st.sampled_from([":", "", " - "]),
        agents=agents,
        dynamic_agents=st.just(True),
        penalties=st.dictionaries(st.sampled_from([*terminals, "777"]), st.integers(0, 100), max_size=2),
        skills=st.lists(ids, max_size=2).map(tuple),
        strategy=st.sampled_from(["ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "linear"]),
        ring_in_use=st.booleans(),
        caller_hears=st.sampled_from(["ringing", "music"]),
        music=sound_ids,
        announcement=sound_ids,
        max_wait=st.integers(0, 3600),
        timeout_target=st.just("") | targets(terminals),
        exit_keys=st.dictionaries(st.sampled_from(["1", "#", "*9"]), targets(terminals), max_size=2),
        callback=st.builds(Callback, st.sampled_from(["", "5", "*"]), st.booleans(), st.integers(1, 100)),
    )


@st.composite
def ivrs_of(draw: st.DrawFn, terminals: list[str]) -> Ivr:
    keys = draw(st.dictionaries(st.sampled_from(["1", "2", "#", "101"]), targets(terminals)))
    return Ivr(
        "8802", draw(targets(terminals)), draw(texts), draw(texts), draw(sound_ids), draw(st.integers(1, 60)),
        draw(st.integers(1, 10)), draw(st.integers(1, 10)), draw(st.booleans()), keys,
        {key: tuple(draw(st.lists(names, max_size=2))) for key in draw(st.permutations(sorted(keys)))[:1]},
    )  # fmt: skip


features = st.builds(
    Features,
    park=st.sampled_from(["", "*2", "*345"]),
    record=st.sampled_from(["", "*1"]),
    pickup=st.sampled_from(["*8", "**", ""]),
    code_timeout_ms=st.integers(500, 10_000),
    transfer_outside=st.sampled_from([(), ("7916XXXXXXX", "8")]),
    call_waiting_notice=st.booleans(),
    parking=st.builds(Parking, st.sampled_from(["", "890"]), st.sampled_from(["891-899", "891-891"])),
)
flags = st.tuples(st.booleans(), st.booleans(), st.booleans())
pins = st.sampled_from(["", "1", "04711"])
lines = st.text(st.sampled_from("abc \n\t\"'\\Ж{}"))


@st.composite
def offices(draw: st.DrawFn) -> Office:
    """Any office that the rules allow."""
    people = draw(st.lists(users, max_size=4, unique_by=lambda user: user.id))
    people = [
        replace(user, mobile=draw(st.sampled_from(["", f"+7916{index}"])), scope=_scope(draw, user, people))
        for index, user in enumerate(people)
    ]
    length = draw(st.integers(2, 8))
    numbers = st.text(string.digits, min_size=2, max_size=length).filter(
        lambda number: number not in TAKEN and not number.startswith("88")
    )
    chosen = draw(st.lists(numbers, max_size=4, unique=True))
    members = tuple(user.id for user in people)
    operators = draw(st.lists(providers, max_size=3, unique_by=lambda provider: provider.id))
    routes = draw(st.lists(routes_over(operators), max_size=2, unique_by=lambda route: route.name)) if operators else []
    shown = {route.name: "7495" for route in routes[1:]}
    return Office(
        name=draw(st.just("") | names),
        language=draw(st.sampled_from(["en", "ru"])),
        timezone=draw(st.sampled_from(["UTC", "Europe/Moscow"])),
        number_length=length,
        login_suffix=draw(st.sampled_from(["", "-7k", "@x"])),
        users=tuple(people),
        terminals=tuple(_terminal(draw, number, people, chosen) for number in chosen),
        providers=tuple(operators),
        outbound_routes=tuple(routes),
        outbound=OutboundPolicy(draw(st.sampled_from([(), ("9999", "99X1XX")]))),
        sounds=SOUNDS,
        location_groups=tuple(
            LocationGroup(name, name, note=name) for name in sorted({u.location for u in people} - {""})
        ),
        employee_groups=(
            EmployeeGroup(
                "all", draw(texts), members, *draw(flags), ("1XX", "7"), draw(texts), routes=("*",), caller_ids=shown
            ),
        ),
        groups=tuple(draw(st.lists(groups_of(chosen), max_size=1))),
        queues=tuple(draw(st.lists(queues_of(chosen), max_size=1))),
        ivrs=tuple(draw(st.lists(ivrs_of(chosen), max_size=1))),
        conferences=tuple(draw(st.lists(st.builds(Conference, st.just("8803"), texts, texts, pins), max_size=1))),
        paging=(Paging("8804", draw(texts), draw(texts), tuple(chosen)),),
        applications=(Application("*77X#", "/scripts/a.py", draw(texts)[:50], draw(texts)),),
        short_numbers=(ShortNumber("8805", "+441632960000", "*2,05#", draw(texts), draw(texts)),),
        voicemail_boxes=tuple(
            draw(st.builds(VoicemailBox, st.just(box), pins, sound_ids)) for box in [*chosen, "voicemail"]
        ),
        features=draw(features),
        forwarding=draw(st.builds(ForwardingPolicy, *[st.booleans()] * 4, st.integers(1, 50))),
        recording=draw(st.builds(RecordingPolicy, *[st.booleans()] * 3, st.sampled_from(["opus", "wav"]), sound_ids)),
        missed_calls=draw(st.builds(MissedCallsPolicy, texts, lines, lines)),
        voicemail=draw(st.builds(VoicemailPolicy, st.just(""), st.integers(5, 3600), body=lines, footer=lines)),
    )


def _scope(draw: st.DrawFn, user: User, people: list[User]) -> tuple[str, ...]:
    if user.role != "supervisor":
        return ()
    return tuple(draw(st.lists(st.sampled_from(["all", *(f"user:{other.id}" for other in people)]), max_size=3)))


def _terminal(draw: st.DrawFn, number: str, people: list[User], numbers: list[str]) -> Terminal:
    trust = draw(networks)
    return Terminal(
        number=number,
        login=draw(st.sampled_from(["", f"phone.{number}"])),
        deny=draw(st.sampled_from([(), ("10.9.0.0/16", "192.0.2.1/32")])),
        codecs=draw(st.sampled_from([(), ("G722", "PCMA")])),
        headers=draw(st.sampled_from([{}, {"X-Room": '12; "a"'}])),
        owner=draw(st.sampled_from(["", *(user.id for user in people)])),
        password=draw(passwords | st.just("") if trust else passwords),
        max_calls=draw(st.integers(1, 1000)),
        max_contacts=draw(st.integers(1, 20)),
        dtmf=draw(st.sampled_from(["auto", "rfc4733"])),
        transport=draw(st.sampled_from(["any", "udp", "tcp", "tls", "ws"])),
        network=draw(networks),
        trust=trust,
        disabled=draw(st.booleans()),
        ringback=draw(sound_ids),
        record=draw(st.booleans()),
        forward=draw(forwards(numbers)),
        show_in_phonebook=draw(st.booleans()),
        public_access=draw(st.booleans()),
    )


@settings(deadline=None)  # the machine may be busy
@given(offices(), offices())
def test_an_export_with_secrets_gives_the_same_office_whatever_was_stored(office: Office, stored: Office) -> None:
    assert parse_office(export_office(office, with_secrets=True), stored=stored) == office


@settings(deadline=None)  # the machine may be busy
@given(offices())
def test_an_export_without_secrets_holds_none_and_changes_nothing_where_it_came_from(office: Office) -> None:
    text = export_office(office)
    assert not re.search("^(?:password|pin) =", text, re.MULTILINE)
    assert parse_office(text, stored=office) == office


@settings(deadline=None)  # the machine may be busy
@given(offices(), offices())
def test_a_plan_is_empty_only_where_nothing_changes_and_never_tells_a_password(old: Office, new: Office) -> None:
    changes = plan(old, new)
    assert not plan(new, new)
    assert bool(changes) == (_as_sets(old) != _as_sets(new))
    for terminal in new.terminals:
        assert not terminal.password or terminal.password not in str(changes)


def _as_sets(office: Office) -> tuple[object, ...]:
    plain = replace(office, **{of.name: () for of in OFFICE_LISTS})  # type: ignore[arg-type]  # all are tuples
    return plain, *({of.key_of(entry): entry for entry in of.of(office)} for of in OFFICE_LISTS)


OLD = Office(
    name="A",
    users=(User(id="anna", name="Anna"), User(id="boris", name="Boris")),
    terminals=(
        Terminal(number="102", password="Old-secret1", disabled=True),
        Terminal(number="103", password="Old-secret1"),
        Terminal(number="104", trust="127.0.0.1"),
        Terminal(number="105", password="Old-secret1", trust="127.0.0.1"),
    ),
)
NEW = Office(
    name="B",
    number_length=4,
    users=(User(id="boris", name="Борис", role="supervisor", scope=("all",)), User(id="zoe", name="Zoe")),
    terminals=(
        Terminal(number="101", password="New-secret1"),
        Terminal(number="102", password="New-secret1", max_calls=2),
        Terminal(number="104", trust="127.0.0.1", password="New-secret1"),
        Terminal(number="105", trust="127.0.0.1"),
    ),
)


def test_a_plan_reads_like_this() -> None:
    assert (
        str(plan(OLD, NEW))
        == """\
~ office: name "A" -> "B", number_length 3 -> 4
+ user zoe
~ user boris: name "Boris" -> "Борис", role "user" -> "supervisor", scope [] -> ["all"]
- user anna
+ terminal 101
~ terminal 102: password changed, max_calls 1 -> 2, disabled true -> false
~ terminal 104: password set
~ terminal 105: password removed
- terminal 103"""
    )


def test_nothing_to_change_is_said_too() -> None:
    assert str(Plan()) == "nothing to change"


def test_an_export_reads_like_this() -> None:
    assert (
        export_office(NEW)
        == """\
[office]
name = "B"
language = "en"
timezone = "UTC"
number_length = 4
country = ""
login_suffix = ""

[[users]]
id = "boris"
name = "Борис"
role = "supervisor"
scope = ["all"]

[[users]]
id = "zoe"
name = "Zoe"

[[terminals]]
number = "101"

[[terminals]]
number = "102"
max_calls = 2

[[terminals]]
number = "104"
trust = "127.0.0.1"

[[terminals]]
number = "105"
trust = "127.0.0.1"
"""
    )


def test_sections_inside_an_entry_and_of_the_office_are_planned_by_key() -> None:
    old = Office(terminals=(Terminal("101"),), ivrs=(Ivr("700", "101"),), conferences=(Conference("800", pin="1"),))
    new = Office(
        terminals=(Terminal("101", forward=Forward(busy="102", ring_time=20)),),
        ivrs=(Ivr("700", "101", keys={"1": "101"}),),
        conferences=(Conference("800", pin="2"),),
        features=Features(park="", parking=Parking(number="7000")),
    )
    assert (
        str(plan(old, new))
        == """\
~ features: park "*2" -> "", parking.number "890" -> "7000"
~ terminal 101: forward.busy "" -> "102", forward.ring_time 45 -> 20
~ IVR 700: keys {} -> { 1 = "101" }
~ conference 800: pin changed"""
    )
    assert export_office(new).split("\n\n", 1)[1] == (
        """\
[[terminals]]
number = "101"
forward = { busy = "102", ring_time = 20 }

[[ivrs]]
number = "700"
default = "101"
keys = { 1 = "101" }

[[conferences]]
number = "800"

[features]
park = ""
parking = { number = "7000" }
"""
    )
