"""The demo office of a first start: five terminals with passwords nobody else knows, and something of each kind that
can be dialled."""

import os
from collections.abc import Callable
from pathlib import Path

from conf.export import export_office
from conf.passwords import generate_password
from storage.records import Conference, Group, Ivr, Office, Queue, Terminal, User

_HEADING = """\
# The demo office, made at the first start. Change what you like, then: zvon apply {name}
# To try: a colleague, 600 (all of them), 500 (queue), 700 (menu), 800 (conference), 10003246 (echo) or 000064 (tone).

"""

_PEOPLE = (
    ("101", "belkina", "Белкина Ирина", "manager"),
    ("102", "smith", "John Smith", "sales"),
    ("103", "orlov", "Орлов Пётр", "accountant"),
    ("104", "jones", "Mary Jones", "support"),
    ("105", "volkova", "Волкова Анна", "reception"),
)


def demo_office(make_password: Callable[[], str] = generate_password) -> Office:
    """Terminals 101 to 105 with owners and fresh passwords, queue 500, group 600, menu 700, conference 800."""
    return Office(
        name="Horns and Hooves",
        users=tuple(User(id=id, name=name, position=position) for _, id, name, position in _PEOPLE),
        terminals=tuple(
            # Two lines each: call waiting can be tried at once.
            Terminal(number=number, owner=owner, password=make_password(), max_calls=2)
            for number, owner, _, _ in _PEOPLE
        ),
        groups=(Group("600", "Everybody", members=tuple(number for number, *_ in _PEOPLE)),),
        queues=(Queue("500", "Sales", agents=("102", "104"), caller_hears="music", announce_position=True),),
        ivrs=(Ivr("700", default="600", name="Main menu", allow_internal=True, keys={"1": "500", "2": "800"}),),
        conferences=(Conference("800", "Daily"),),
    )


def demo_document(office: Office, name: str = "office.toml") -> str:
    """The document of a demo office, passwords included."""
    return _HEADING.format(name=name) + export_office(office, with_secrets=True)


def write_demo_office(path: Path) -> Office:
    """Write a new demo office to `path`, readable by its owner only; an existing file is never touched."""
    office = demo_office()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(demo_document(office, str(path)))
    return office
