"""`office.toml`: what it gives, and the rules of numbers and passwords."""

from pathlib import Path

import pytest

from conf.export import export_office, toml_value
from conf.load import ConfInvalid, load_office, parse_office
from conf.passwords import MIN_LENGTH, generate_password, weakness
from storage.records import LampList, Office, Provider, Sound, Terminal, User

GOOD = "Long-Enough_1"
STORED = Office(terminals=(Terminal(number="101", password=GOOD), Terminal(number="102", trust="127.0.0.1")))


def errors(text: str, stored: Office | None = STORED) -> list[str]:
    with pytest.raises(ConfInvalid) as raised:
        parse_office(text, stored=stored)
    return [f"{error.key_path}: {error.message}" for error in raised.value.errors]


def terminal(number: str, more: str = "") -> str:
    return f'[[terminals]]\nnumber = "{number}"\npassword = "{GOOD}"\n{more}\n'


def test_an_empty_document_is_an_empty_office() -> None:
    assert parse_office("") == Office()


def test_every_key_is_read() -> None:
    office = parse_office(
        f"""
        [office]
        name = "Horns and Hooves"
        language = "ru"
        timezone = "Europe/Moscow"
        number_length = 4
        [[users]]
        id = "belkina"
        name = "Белкина Ирина"
        email = "belkina@example.com"
        mobile = "+79161234567"
        mobile_dial = "79161234567"
        position = "manager"
        location = "room-12"
        role = "supervisor"
        scope = ["user:belkina"]
        [[terminals]]
        number = "2010"
        owner = "belkina"
        password = "{GOOD}"
        max_calls = 3
        max_contacts = 20
        dtmf = "rfc4733"
        transport = "udp"
        network = "192.0.2.0/24"
        trust = "192.0.2.7"
        disabled = true
        """
    )
    assert office == Office(
        "Horns and Hooves", "ru", "Europe/Moscow", 4,
        (
            User(
                "belkina", "Белкина Ирина", "belkina@example.com", "+79161234567", "79161234567", "manager", "room-12",
                "supervisor", ("user:belkina",),
            ),
        ),
        (Terminal("2010", "belkina", GOOD, 3, 20, "rfc4733", "udp", "192.0.2.0/24", "192.0.2.7", True),),
    )  # fmt: skip


def test_a_password_is_in_no_text_about_a_terminal() -> None:
    assert GOOD not in repr(STORED)


@pytest.mark.row("EXT-1")
@pytest.mark.parametrize("length", range(2, 9))
def test_a_number_has_two_digits_up_to_the_length_of_the_office(length: int) -> None:
    header = f"[office]\nnumber_length = {length}\n"
    for digits in range(2, length + 1):
        assert parse_office(header + terminal("1" * digits)).terminals[0].number == "1" * digits
    too_long = errors(header + terminal("1" * (length + 1)))
    if length < 8:
        assert too_long == [
            f'terminals[0].number: "{"1" * (length + 1)}" is longer than office.number_length allows ({length} digits)'
        ]
    else:
        assert too_long == ['terminals[0].number: must be 2 to 8 digits, not "111111111"']


@pytest.mark.row("EXT-1")
def test_numbers_have_three_digits_unless_the_office_widens_them() -> None:
    assert parse_office("").number_length == 3
    assert errors(terminal("1001")) == [
        'terminals[0].number: "1001" is longer than office.number_length allows (3 digits)'
    ]


@pytest.mark.row("EXT-1")
@pytest.mark.parametrize("number", ["", "1", "10a", "٣٣٣", "+10", "1 0"])
def test_a_number_is_digits_only(number: str) -> None:
    assert errors(terminal(number)) == [f'terminals[0].number: must be 2 to 8 digits, not "{number}"']


@pytest.mark.row("EXT-1")
@pytest.mark.parametrize("length", [1, 9])
def test_the_length_of_numbers_is_two_to_eight(length: int) -> None:
    assert len(errors(f"[office]\nnumber_length = {length}")) == 1


@pytest.mark.parametrize("login", ["101 x", 'a"b', "я", "x" * 129])
def test_a_login_is_made_of_what_every_phone_can_send(login: str) -> None:
    said = f'may hold only letters A-Z a-z, digits and + . _ - @, at most 128, not "{login}"'
    assert errors(f"{terminal('101')}login = {toml_value(login)}\n") == [f"terminals[0].login: {said}"]
    assert errors(f"[office]\nlogin_suffix = {toml_value(login)}\n") == [f"office.login_suffix: {said}"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('headers = { "Contact" = "<sip:x@y>" }', "headers.Contact: must be a header field X-…, Alert-Info, Call-Info, "
         'Organization, Priority, Subject, not "Contact"'),
        ('headers = { "X-A" = "a\\r\\nVia: x" }', "headers.X-A: must not contain line breaks or control characters"),
        ('permit = ["10.0.0.1/8"]', 'permit[0]: "10.0.0.1/8" is an address inside a network; '
         'the network is "10.0.0.0/8"'),
        ('codecs = ["GSM"]', 'codecs[0]: must be one of "opus", "G722", "PCMA", "PCMU", "G729", "L16", not "GSM"'),
        ('variables = { "a b" = "c" }', 'variables.a b: must be 1 to 64 letters A-Z a-z, digits or . _ -, not "a b"'),
    ],
)  # fmt: skip
def test_parameters_of_one_account_are_checked(line: str, sentence: str) -> None:
    assert errors(f"{terminal('101')}{line}\n") == [f"terminals[0].{sentence}"]


def test_each_terminal_has_a_login_of_its_own() -> None:
    suffix, device = '[office]\nlogin_suffix = "x"\n', '[[providers]]\nid = "box"\nkind = "inbound_register"\n'
    two = terminal("101") + 'login = "102"\n' + terminal("102")
    assert errors(two) == ['terminals[0].login: "102" is already used by terminals[1]']
    assert len(parse_office(suffix + two).terminals) == 2
    again = terminal("101") + 'login = "102x"\n' + terminal("102")
    assert errors(suffix + again) == ['terminals[0].login: "102x" is already used by terminals[1]']
    taken = errors(f'{terminal("101")}login = "box"\n{device}login = "box"\npassword = "x"\n')
    assert taken == ['providers[0].login: "box" is already used by terminals[0]']


@pytest.mark.row("AMB-9")
def test_ten_phones_may_share_a_terminal_or_one_to_twenty() -> None:
    assert parse_office(terminal("101")).terminals[0].max_contacts == 10
    for most in (1, 20):
        assert parse_office(f"{terminal('101')}max_contacts = {most}\n").terminals[0].max_contacts == most
    for most in (0, 21):
        assert len(errors(f"{terminal('101')}max_contacts = {most}\n")) == 1


@pytest.mark.row("EXT-5")
@pytest.mark.parametrize("sign", "-_[]{}@;")
def test_a_password_with_all_kinds_of_characters_and_any_of_the_signs_is_good(sign: str) -> None:
    password = f"Abcdefg1{sign}"
    assert len(password) == MIN_LENGTH
    assert weakness(password) == ""


@pytest.mark.row("EXT-5")
@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("Abcdef1-", "the password is too short: at least 9 characters, not 8"),
        ("abcdefg1-", "the password is too weak: it needs an upper-case letter"),
        ("ABCDEFG1-", "the password is too weak: it needs a lower-case letter"),
        ("Abcdefgh-", "the password is too weak: it needs a digit"),
        ("Abcdefg12", "the password is too weak: it needs one of the signs - _ [ ] { } @ ;"),
        ("Abcdefg1!", "the password is too weak: it needs one of the signs - _ [ ] { } @ ;"),
        ("abcdefghi", "the password is too weak: it needs an upper-case letter and a digit and one of the signs "
         "- _ [ ] { } @ ;"),
        ("Пароль-Ab1", "the password may hold only ASCII letters, digits and signs, no spaces: phones encode others "
         "differently"),
        ("A" * 101, "the password is too long: at most 100 characters, not 101"),
    ],
)  # fmt: skip
def test_a_new_password_that_breaks_the_policy_is_denied(password: str, why: str) -> None:
    assert errors(f'[[terminals]]\nnumber = "103"\npassword = "{password}"') == [f"terminals[0].password: {why}"]


@pytest.mark.row("EXT-5")
def test_generated_passwords_obey_the_policy_without_signs_that_break_phones() -> None:
    made = [generate_password(length) for length in (9, 20, 64) for _ in range(200)]
    assert not any(map(weakness, made))
    assert len(set(made)) == len(made)
    assert {sign for password in made for sign in password if not sign.isalnum()} == set("-_@")


def test_a_terminal_without_the_key_keeps_its_stored_password() -> None:
    text = '[[terminals]]\nnumber = "101"\nmax_calls = 2\n'
    assert parse_office(text, stored=STORED).terminals == (Terminal(number="101", password=GOOD, max_calls=2),)


def test_a_stored_password_is_not_measured_again() -> None:
    weak = Office(terminals=(Terminal(number="101", password="1234"),))
    text = '[[terminals]]\nnumber = "101"\npassword = "1234"\n'
    assert parse_office(text, stored=weak) == weak
    assert errors(text, stored=STORED) == [
        "terminals[0].password: the password is too short: at least 9 characters, not 4"
    ]


@pytest.mark.parametrize(
    "text",
    ['[[terminals]]\nnumber = "103"', '[[terminals]]\nnumber = "102"', '[[terminals]]\nnumber = "101"\npassword = ""'],
    ids=["new", "stored without one", "taken away"],
)
def test_a_terminal_without_password_and_trust_is_refused(text: str) -> None:
    assert errors(text) == [
        "terminals[0].password: the password is missing (only a terminal with trust may do without)"
    ]


def test_a_trusted_terminal_needs_no_password_and_may_lose_it() -> None:
    text = '[[terminals]]\nnumber = "101"\ntrust = "192.0.2.7"\n'
    assert parse_office(text).terminals[0].password == ""
    assert parse_office(text, stored=STORED).terminals[0].password == GOOD
    assert parse_office(text + 'password = ""', stored=STORED).terminals[0].password == ""


def test_without_knowledge_of_the_stored_office_no_password_is_asked_for() -> None:
    assert parse_office('[[terminals]]\nnumber = "103"', stored=None).terminals[0].password == ""
    assert len(errors('[[terminals]]\nnumber = "103"\npassword = "weak"', stored=None)) == 1


def test_an_address_with_host_bits_is_a_trusted_address_of_its_own() -> None:
    text = '[[terminals]]\nnumber = "103"\ntrust = "2001:db8::7"\nnetwork = "2001:db8::/64"\n'
    assert parse_office(text).terminals[0].trust == "2001:db8::7"


# --- providers ------------------------------------------------------------------------------------------------------


def provider(more: str = "", login: str = 'login = "7495"') -> str:
    return f'[[providers]]\nid = "telco"\nhost = "sip.example.net"\n{login}\n{more}\n'


@pytest.mark.row("PRV-4")
def test_every_key_of_a_provider_is_read() -> None:
    text = provider(
        'name = "Telco"\nport = 5070\ntransport = "tcp"\noutbound_proxy = "[2001:db8::1]:5080"\n'
        'password = "any thing"\n'
        'kind = "register"\nqualify = 30\nnote = "contract 7"\ndisabled = true'
    )
    assert parse_office(text).providers == (
        Provider(
            "telco", "sip.example.net", "Telco", 5070, "tcp", "[2001:db8::1]:5080", "register", "7495", "any thing", 30,
            "contract 7", True,
        ),
    )  # fmt: skip


def test_a_provider_without_a_password_keeps_the_stored_one() -> None:
    stored = Office(providers=(Provider("telco", "old.example.net", password="secret"),))
    assert parse_office(provider(), stored=stored).providers[0].password == "secret"
    assert parse_office(provider('password = ""'), stored=stored).providers[0].password == ""
    assert "secret" not in repr(stored)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (provider('host = ""').replace('host = "sip.example.net"\n', ""), 'providers[0]: "host" is missing'),
        (provider("port = 65536"), "providers[0].port: must be at most 65535, not 65536"),
        (provider('transport = "sctp"'), "providers[0].transport: must be one of"),
        (provider('kind = "inbound_register"', login=""), "providers[0]: the login is missing"),
        (provider('kind = "inbound_register"\npassword = ""'), "providers[0].password: the password is missing"),
        (provider("qualify = 5"), "providers[0].qualify: must be 0 (never), or 10 to 3600 seconds, not 5"),
        (provider('outbound_proxy = "proxy:0"'), "providers[0].outbound_proxy: must be a host with or without a port"),
        (provider('outbound_proxy = "a b"'), "providers[0].outbound_proxy: must be an IP address or a host name"),
        (provider(login='login = "a b"'), "providers[0].login: may hold only letters"),
        (provider(login=""), "providers[0]: the login is missing"),
        (provider() + provider(), 'providers[1].id: "telco" is already used by providers[0]'),
        (provider('note = "' + "x" * 501 + '"'), "providers[0].note: must be at most 500 characters long"),
    ],
)
def test_a_mistake_in_a_provider_is_a_sentence(text: str, error: str) -> None:
    (found,) = errors(text)
    assert found.startswith(error)


@pytest.mark.parametrize(
    ("given", "kept"), [("2001:db8::1", "[2001:db8::1]"), ("proxy.test", "proxy.test"), ("192.0.2.1:5080",) * 2]
)
def test_outbound_proxies(given: str, kept: str) -> None:
    assert parse_office(provider(f'outbound_proxy = "{given}"')).providers[0].outbound_proxy == kept


def test_sound_files_stand_beside_the_document_and_their_ids_are_unique(tmp_path: Path) -> None:
    document = tmp_path / "office.toml"
    document.write_text(
        '[[sounds]]\nid = "hello"\nfile = "sounds/hello.wav"\n[[sounds]]\nid = "m"\nfile = "/m.mp3"\nmusic = true\n'
    )
    office = load_office(document)
    assert office.sounds == (Sound("hello", str(tmp_path / "sounds/hello.wav")), Sound("m", "/m.mp3", music=True))
    assert parse_office(export_office(office), "/elsewhere/office.toml") == office
    document.write_text('[[sounds]]\nid = "a"\nfile = "a.wav"\n[[sounds]]\nid = "a"\nfile = ""\n')
    with pytest.raises(ConfInvalid) as raised:
        load_office(document)
    assert [error.message for error in raised.value.errors] == ['"a" is already used by sounds[0]', "must not be empty"]


def test_the_country_is_one_whose_tones_are_known() -> None:
    assert parse_office('[office]\ncountry = "de"').country == "de"
    with pytest.raises(ConfInvalid, match='must be one of "", "de"'):
        parse_office('[office]\ncountry = "atlantis"')


def test_lists_of_lamps_have_numbers_of_the_office() -> None:
    office = parse_office(terminal("101") + '[[lamp_lists]]\nid = "desk"\nmembers = ["101", "000064"]\n', stored=STORED)
    assert office.lamp_lists == (LampList("desk", ("101", "000064")),)
    again = parse_office(export_office(office, with_secrets=True))
    assert again == office


def test_a_wrong_list_of_lamps_is_told() -> None:
    text = (
        terminal("101")
        + '[[lamp_lists]]\nid = "5-5"\nmembers = ["101", "101", "102", "x"]\n[[lamp_lists]]\nid = "5-5"\n'
    )
    assert errors(text) == [
        'lamp_lists[0].id: needs a letter, so that it is no number, not "5-5"',
        'lamp_lists[0].members[1]: "101" is named twice',
        'lamp_lists[0].members[2]: there is no number "102"',
        'lamp_lists[0].members[3]: must be 2 to 8 digits, not "x"',
        'lamp_lists[1].id: "5-5" is already used by lamp_lists[0]',
        'lamp_lists[1].id: needs a letter, so that it is no number, not "5-5"',
    ]


@pytest.mark.row("FEAT-1")
@pytest.mark.parametrize(
    ("features", "said"),
    [
        ('park = "**"', 'features.park: "**" is also features.blind_transfer'),
        ('park = "*"', 'features.park: "*" is the beginning of features.blind_transfer'),
        ('record = "*21"', 'features.park: "*2" is the beginning of features.record, "*21"'),
        ('pickup = "10"', 'features.pickup: "10" is the beginning of "101", terminals[0].number'),
        ('dnd_on = "101"', 'features.dnd_on: "101" is also terminals[0].number'),
        ('pickup = "*9"', 'features.pickup: "*9" is the beginning of features.'),
    ],
)
def test_no_code_hides_another_one_or_a_number(features: str, said: str) -> None:
    found = errors(f"{terminal('101')}[features]\n{features}", Office())
    assert any(each.startswith(said) for each in found), found
