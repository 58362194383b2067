"""From a file to typed settings or a typed office: all mistakes at once, each with key path and line."""

from pathlib import Path

from conf.errors import ConfError, ConfInvalid
from conf.model import validated
from conf.office import OfficeDocument, ProviderSection, TerminalSection
from conf.office_rules import problems_between
from conf.read import Document, parse_document, read_text
from conf.schema import Settings
from storage.records import Office, Provider, Terminal, User

__all__ = ["ConfError", "ConfInvalid", "load_office", "load_settings", "parse_office", "parse_settings"]

NO_OFFICE = Office()


def load_settings(path: Path) -> Settings:
    """The settings of a `zvon.toml`; raises `ConfInvalid`."""
    return parse_settings(read_text(path), str(path))


def parse_settings(text: str, file: str = "zvon.toml") -> Settings:
    """The same from text; `file` is the name that errors carry."""
    document = parse_document(text, file)
    found = validated(Settings, document.values)
    if isinstance(found, list):
        raise document.invalid(found)
    return found


def load_office(path: Path, stored: Office | None = NO_OFFICE) -> Office:
    """The office of an `office.toml`; raises `ConfInvalid`.

    `stored` is the office in force: a terminal or provider without `password` keeps the one stored for it, and a
    password that is already stored is not measured by the policy again. None: not known, so no password is asked for.
    """
    return parse_office(read_text(path), str(path), stored)


def parse_office(text: str, file: str = "office.toml", stored: Office | None = NO_OFFICE) -> Office:
    """The same from text; `file` is the name that errors carry."""
    document = parse_document(text, file)
    passwords = None if stored is None else {terminal.number: terminal.password for terminal in stored.terminals}
    of_providers = {provider.id: provider.password for provider in stored.providers} if stored is not None else {}
    return _office(_checked(document, passwords), passwords or {}, of_providers)


def _checked(document: Document, passwords: dict[str, str] | None) -> OfficeDocument:
    found = validated(OfficeDocument, document.values)
    problems = found if isinstance(found, list) else []
    problems += problems_between(document.values, passwords)
    if problems or isinstance(found, list):
        raise document.invalid(problems)
    return found


def _office(document: OfficeDocument, passwords: dict[str, str], of_providers: dict[str, str]) -> Office:
    users = tuple(User(**user.model_dump()) for user in document.users)
    terminals = tuple(_terminal(terminal, passwords.get(terminal.number, "")) for terminal in document.terminals)
    providers = tuple(_provider(provider, of_providers.get(provider.id, "")) for provider in document.providers)
    return Office(**document.office.model_dump(), users=users, terminals=terminals, providers=providers)


def _provider(section: ProviderSection, stored_password: str) -> Provider:
    values = section.model_dump()
    if section.password is None:
        values["password"] = stored_password
    return Provider(**values)


def _terminal(section: TerminalSection, stored_password: str) -> Terminal:
    values = section.model_dump()
    if section.password is None:
        values["password"] = stored_password
    return Terminal(**values)
