"""Looking things up in the office."""

import pytest

from pbx.directory import Directory
from sipcore.auth.digest import ha1
from storage.records import Office, Terminal, User
from tests.support.builders import terminal

REALM = "realm"


def directory(*terminals: Terminal, users: tuple[User, ...] = ()) -> Directory:
    return Directory(Office("Test", language="ru", users=users, terminals=terminals), REALM)


def test_a_terminal_is_found_by_its_number_unless_it_is_disabled() -> None:
    found = directory(terminal("101"), terminal("102", disabled=True))
    assert found.terminal("101") == terminal("101")
    assert found.terminal("102") is None
    assert found.terminal("103") is None
    assert found.terminal("") is None


def test_a_party_has_the_name_of_the_owner_and_none_without_one() -> None:
    anna = User("anna", "Anna")
    found = directory(terminal("101", owner="anna"), terminal("102"), terminal("103", owner="gone"), users=(anna,))
    names = [found.party(terminal(number, owner=owner)).name for number, owner in (("101", "anna"), ("102", ""))]
    assert names == ["Anna", ""]
    assert found.party(terminal("103", owner="gone")).name == ""
    assert found.party(terminal("101", owner="anna")).language == "ru"


@pytest.mark.parametrize(
    ("trust", "source", "trusted"),
    [
        ("10.0.0.5", "10.0.0.5", True),
        ("10.0.0.5", "10.0.0.6", False),
        ("10.0.0.0/24", "10.0.0.77", True),
        ("10.0.0.9/24", "10.0.0.77", True),
        ("10.0.0.0/24", "10.0.1.77", False),
        ("10.0.0.5", "::ffff:10.0.0.6", False),
        ("2001:db8::/32", "2001:db8::7", True),
        ("2001:db8::/32", "10.0.0.5", False),
    ],
)
def test_trust_is_an_address_or_a_network(trust: str, source: str, trusted: bool) -> None:
    found = directory(terminal("101", trust=trust), terminal("102"))
    for _ in range(2):  # the second look-up comes from memory
        assert (found.trusted(source, "101") is not None) is trusted


def test_among_several_trusting_terminals_the_number_decides_and_an_unknown_one_is_nobody() -> None:
    found = directory(terminal("101", trust="10.0.0.5"), terminal("102", trust="10.0.0.0/24"))
    for number, expected in (("101", "101"), ("102", "102"), ("103", None), ("", None)):
        terminal_found = found.trusted("10.0.0.5", number)
        assert (terminal_found.number if terminal_found is not None else None) == expected
    only = found.trusted("10.0.0.6", "anything")
    assert only is not None
    assert only.number == "102"


def test_the_number_of_another_terminal_is_not_trusted_whatever_the_address() -> None:
    """A phone behind the same proxy as a gateway: it is asked for its password."""
    found = directory(terminal("101", trust="10.0.0.5"), terminal("102"))
    assert found.trusted("10.0.0.5", "102") is None
    assert found.trusted("10.0.0.5", "+74951234567") is not None


def test_a_disabled_terminal_trusts_nobody() -> None:
    assert directory(terminal("101", trust="10.0.0.5", disabled=True)).trusted("10.0.0.5", "101") is None


@pytest.mark.parametrize(
    ("network", "source", "allowed"),
    [("", "1.2.3.4", True), ("10.0.0.0/8", "10.9.9.9", True), ("10.0.0.0/8", "11.0.0.1", False)],
)
def test_a_network_filter_names_who_may_use_a_terminal(network: str, source: str, allowed: bool) -> None:
    account = terminal("101", network=network)
    assert directory(account).may_use(account, source) is allowed


def test_a_secret_is_that_of_the_realm_and_algorithm_and_is_remembered() -> None:
    account = terminal("101")
    found = directory(account)
    for algorithm in ("MD5", "SHA-256"):
        assert found.secret(account, "101", algorithm) == ha1("101", REALM, "Secret-101", algorithm)
        assert found.secret(account, "101", algorithm) is found.secret(account, "101", algorithm)
