"""Templates of operators: every one is a provider, what the office writes goes before, an export needs none."""

from dataclasses import fields
from datetime import date

import pytest

from conf.export import export_office
from conf.load import ConfInvalid, parse_office
from conf.provider_templates import TAKEN, TEMPLATES
from storage.records import Provider


def document(template: str, *lines: str) -> str:
    return "\n".join(["[[providers]]", 'id = "telco"', f'template = "{template}"', 'login = "me"', *lines, ""])


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_name_and_an_account_make_a_provider(name: str) -> None:
    host = (
        () if "host" in TEMPLATES[name] or TEMPLATES[name].get("kind") == "inbound_register" else ('host = "sip.test"',)
    )
    office = parse_office(document(name, 'password = "Secret_1"', *host))
    (provider,) = office.providers
    assert {key: getattr(provider, key) for key in TEMPLATES[name]} == dict(TEMPLATES[name])
    exported = export_office(office, with_secrets=True)
    assert "template" not in exported
    assert parse_office(exported) == office


def test_an_operator_s_entry_says_when_it_was_taken_and_only_what_a_provider_has() -> None:
    assert TEMPLATES.keys() - TAKEN.keys() == {"gateway", "zvon"}, "devices and other offices are nobody's price list"
    for name, entry in TEMPLATES.items():
        assert entry.keys() <= {each.name for each in fields(Provider)} - {"id", "login", "password", "note"}, name
        year = TAKEN.get(name, 2025)
        assert isinstance(year, int)
        assert 2024 <= year <= date.today().year


def test_what_the_office_writes_goes_before_its_template() -> None:
    (provider,) = parse_office(document("sipgate-trunk", 'host = "other.test"', 'identity = "none"')).providers
    assert (provider.host, provider.identity, provider.show_caller) == ("other.test", "none", True)


@pytest.mark.parametrize(("template", "error"), [("sipgat", "providers[0].template"), ("mango", '"host" is missing')])
def test_a_template_that_does_not_do_is_a_sentence(template: str, error: str) -> None:
    with pytest.raises(ConfInvalid) as raised:
        parse_office(document(template))
    assert error in str(raised.value)
