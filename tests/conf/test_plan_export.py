"""Plan and export: what comes out of one goes into the other."""

import string
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from conf.diff import Plan, plan
from conf.export import export_office
from conf.load import parse_office
from conf.office_rules import RESERVED_NUMBERS
from storage.records import Office, Provider, Terminal, User

names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
ids = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
passwords = st.text(string.printable[:94], max_size=12).map(lambda tail: f"Aa1-{tail}aaaaa")
networks = st.sampled_from(["", "192.0.2.7", "192.0.2.0/24", "2001:db8::/32"])
users = st.builds(
    User,
    id=ids,
    name=names,
    email=st.sampled_from(["", "a@b.example"]),
    mobile_dial=st.sampled_from(["", "79161234567", "*8#"]),
    position=st.just("") | names,
    location=st.just("") | names,
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
)


@st.composite
def offices(draw: st.DrawFn) -> Office:
    """Any office that the rules allow."""
    people = draw(st.lists(users, max_size=4, unique_by=lambda user: user.id))
    people = [
        replace(user, mobile=draw(st.sampled_from(["", f"+7916{index}"])), scope=_scope(draw, user, people))
        for index, user in enumerate(people)
    ]
    length = draw(st.integers(2, 8))
    numbers = st.text(string.digits, min_size=2, max_size=length).filter(lambda number: number not in RESERVED_NUMBERS)
    chosen = draw(st.lists(numbers, max_size=4, unique=True))
    return Office(
        name=draw(st.just("") | names),
        language=draw(st.sampled_from(["en", "ru"])),
        timezone=draw(st.sampled_from(["UTC", "Europe/Moscow"])),
        number_length=length,
        users=tuple(people),
        terminals=tuple(_terminal(draw, number, people) for number in chosen),
        providers=tuple(draw(st.lists(providers, max_size=3, unique_by=lambda provider: provider.id))),
    )


def _scope(draw: st.DrawFn, user: User, people: list[User]) -> tuple[str, ...]:
    if user.role != "supervisor":
        return ()
    return tuple(draw(st.lists(st.sampled_from(["all", *(f"user:{other.id}" for other in people)]), max_size=3)))


def _terminal(draw: st.DrawFn, number: str, people: list[User]) -> Terminal:
    trust = draw(networks)
    return Terminal(
        number=number,
        owner=draw(st.sampled_from(["", *(user.id for user in people)])),
        password=draw(passwords | st.just("") if trust else passwords),
        max_calls=draw(st.integers(1, 1000)),
        max_contacts=draw(st.integers(1, 20)),
        dtmf=draw(st.sampled_from(["auto", "rfc4733"])),
        transport=draw(st.sampled_from(["any", "udp", "tcp", "tls", "ws"])),
        network=draw(networks),
        trust=trust,
        disabled=draw(st.booleans()),
    )


@settings(deadline=None)  # the machine may be busy
@given(offices(), offices())
def test_an_export_with_secrets_gives_the_same_office_whatever_was_stored(office: Office, stored: Office) -> None:
    assert parse_office(export_office(office, with_secrets=True), stored=stored) == office


@settings(deadline=None)  # the machine may be busy
@given(offices())
def test_an_export_without_secrets_holds_none_and_changes_nothing_where_it_came_from(office: Office) -> None:
    text = export_office(office)
    assert "password" not in text.replace(office.name, "")
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
    plain = replace(office, users=(), terminals=(), providers=())
    return plain, frozenset(office.users), frozenset(office.terminals), frozenset(office.providers)


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
