"""People with their numbers as one card (USR-1, USR-3): who somebody is, the main number with all that belongs to it,
and the other numbers. A change of a card is a change of the person and of the main terminal at once, or of neither."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from conf.passwords import generate_password
from storage.records import Terminal, User
from web.answers import Refused, refused
from web.draft import LISTS, Draft, Values, merged, without_secrets

USERS, TERMINALS, GROUPS = LISTS["users"], LISTS["terminals"], LISTS["employee_groups"]
CARD = tuple(each.name for each in fields(User))
# Of the main terminal; `record` of a card is that of the person (EXT-25).
OF_TERMINAL = tuple(each.name for each in fields(Terminal) if each.name not in (*CARD, "owner", "main"))
SEARCHED = ("name", "mobile", "email")  # and every number (USR-8)
SORTED = ("name", "number", "mobile", "email")  # USR-9


def main_first(terminals: Iterable[Values]) -> list[Values]:
    """The terminals of a person: the first one is the main one, where no other is (USR-3)."""
    return sorted(terminals, key=lambda each: not each["main"])


def card_of(values: Mapping[str, Any], id: str) -> Values:
    """One card; raises `Refused` (404)."""
    user = Draft(values).entry(USERS, id)
    terminals = main_first(each for each in values["terminals"] if each["owner"] == id)
    return card(user, terminals, group=_groups(values).get(id, ""))


def cards(values: Mapping[str, Any], registered: Collection[str] = ()) -> Iterator[Values]:
    """Everybody's card; `registered`: the numbers that have a phone now."""
    owned: dict[str, list[Values]] = {}
    for each in values["terminals"]:
        owned.setdefault(each["owner"], []).append(each)
    groups = _groups(values)
    for user in values["users"]:
        yield card(user, main_first(owned.get(user["id"], ())), registered, groups.get(user["id"], ""))


def _groups(values: Mapping[str, Any]) -> dict[str, str]:
    """The employee group of each person who is in one."""
    return {user: each["id"] for each in values[GROUPS.name] for user in each["members"]}


def card(user: Values, terminals: list[Values], registered: Collection[str] = (), group: str = "") -> Values:
    """`is_registered`: some phone of the person can be rung (USR-6). `group`: the employee group (GRP-11), "" none."""
    main = terminals[0] if terminals else {}
    found: Values = {**user, "number": "", **{name: main[name] for name in OF_TERMINAL if name in main}}
    numbers = [
        {"number": each["number"], "is_main": index == 0, "is_registered": each["number"] in registered}
        for index, each in enumerate(terminals)
    ]
    return {
        **found,
        "group": group,
        "numbers": numbers,
        "is_registered": any(each["is_registered"] for each in numbers),
    }


def searched(found: Iterable[Values], text: str) -> list[Values]:
    """Those with that text in name, a number, mobile or e-mail address, small and capital letters alike (USR-8)."""
    wanted = text.strip().casefold()
    return [
        each
        for each in found
        if any(wanted in str(each[name]).casefold() for name in SEARCHED)
        or any(wanted in one["number"] for one in each["numbers"])
    ]


def sorted_by(found: list[Values], sort: str) -> list[Values]:
    """By one of `SORTED`, with - before it the other way round; those who have none come last in both (USR-9)."""
    name, down = sort.removeprefix("-"), sort.startswith("-")
    if name not in SORTED:
        raise refused(422, f"must be one of {', '.join(SORTED)}, with or without a - before it", "sort")
    there = [each for each in found if each[name]]
    in_order = sorted(there, key=lambda each: _order(name, str(each[name])), reverse=down)
    return in_order + [each for each in found if not each[name]]


def _order(name: str, value: str) -> tuple[int, str]:
    return (len(value), value) if name == "number" else (0, value.casefold())


# --- changes -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Places:
    """Where the person and the main terminal of a card stand in a draft; -1: there is none."""

    user: int
    terminal: int

    def as_of_card(self, error: Refused) -> Refused:
        """Mistakes as they look from the card."""
        return Refused(error.status, *((self.field(field), text) for field, text in error.problems))

    def field(self, field: str) -> str:
        for prefix in (f"users.{self.user}.", f"terminals.{self.terminal}."):
            if field.startswith(prefix):
                return field.removeprefix(prefix)
        return "number" if field == f"terminals.{self.terminal}" else field

    def owns(self, field: str) -> bool:
        return self.field(field) != field


def place_of(draft: Draft, user: str) -> Places:
    """Raises `Refused` (404)."""
    index = draft.place(USERS, user)
    terminals = draft.entries(TERMINALS)
    owned = [at for at, each in enumerate(terminals) if each["owner"] == user]
    return Places(index, next((at for at in owned if terminals[at]["main"]), owned[0] if owned else -1))


def add(draft: Draft, entry: Values) -> Places:
    """Another person, with a terminal where the card has a number. Without an id one is made, without a password too
    (USR-13)."""
    user, terminal = _parts(entry)
    user.setdefault("id", _free_id(draft, terminal.get("number")))
    places = Places(draft.add(USERS, user), -1)
    choose_group(draft, user["id"], entry.get("group"))
    if terminal.get("number"):
        places.terminal = draft.add(TERMINALS, _new_terminal(terminal, user["id"]))
    elif terminal:
        raise refused(422, "the number is missing", "number")
    return places


def put(draft: Draft, id: str, entry: Values) -> Places:
    """The whole card instead of the one that was; the id and a password that are not given stay."""
    user, terminal = _parts(entry)
    places = place_of(draft, id)
    draft.put(USERS, places.user, {"id": id, **user})
    choose_group(draft, user.get("id", id), entry.get("group"))
    return _put_terminal(draft, places, terminal, user.get("id", id))


def patch(draft: Draft, id: str, part: Values) -> Places:
    """What is named is changed, null is the default again (RFC 7396)."""
    user, terminal = _parts(part)
    places = place_of(draft, id)
    before = draft.entries(USERS)[places.user]
    draft.put(USERS, places.user, merged(before, user))
    if "group" in part:
        choose_group(draft, user.get("id", id), part["group"])
    if not terminal and "id" not in user:
        return places
    if places.terminal >= 0:
        terminal = merged(draft.entries(TERMINALS)[places.terminal], terminal)
    return _put_terminal(draft, places, terminal, user.get("id", id))


def _put_terminal(draft: Draft, places: Places, terminal: Values, owner: str) -> Places:
    if places.terminal >= 0:
        before = draft.entries(TERMINALS)[places.terminal]
        number = terminal.get("number") or before["number"]
        draft.put(TERMINALS, places.terminal, {**terminal, "number": number, "owner": owner, "main": before["main"]})
    elif terminal.get("number"):
        places.terminal = draft.add(TERMINALS, _new_terminal(terminal, owner))
    elif terminal:
        raise refused(422, "the number is missing", "number")
    return places


def choose_group(draft: Draft, id: str, group: object) -> None:
    """The person is a member of that employee group alone, of none where it is "" or None (GRP-11); raises `Refused`
    (422) where there is no such group."""
    if group and all(each["id"] != group for each in draft.entries(GROUPS)):
        raise refused(422, f'there is no employee group "{group}"', "group")
    draft.values[GROUPS.name] = [_with_member(each, id, is_in=each["id"] == group) for each in draft.entries(GROUPS)]


def _with_member(group: Values, id: str, *, is_in: bool) -> Values:
    if (id in group["members"]) == is_in:
        return group
    others = [each for each in group["members"] if each != id]
    return {**group, "members": [*others, id] if is_in else others}


def choose_main(draft: Draft, id: str, number: str) -> None:
    """Raises `Refused`: 404 where there is no such person, 422 where the number is not theirs."""
    numbers = [each["number"] for each in card_of(draft.values, id)["numbers"]]
    if number not in numbers:
        raise refused(422, f'"{number}" is not among the numbers of "{id}": {", ".join(numbers) or "none"}', "number")
    draft.values["terminals"] = [
        {**each, "main": each["number"] == number} if each["owner"] == id else each for each in draft.entries(TERMINALS)
    ]


def remove(draft: Draft, id: str) -> Values:
    """The person, the terminals, and whatever they are members of or somebody has forwarded to them (USR-14); the card
    that there was."""
    places = place_of(draft, id)
    found = card_of(draft.values, id)
    numbers = {each["number"] for each in found["numbers"]}
    draft.remove(USERS, places.user)
    draft.values["terminals"] = [
        {**each, "forward": _without_targets(each["forward"], numbers | {found["mobile"]} - {""})}
        for each in draft.entries(TERMINALS)
        if each["owner"] != id
    ]
    draft.values["users"] = [
        {**each, "scope": [one for one in each["scope"] if one != f"user:{id}"]} for each in draft.entries(USERS)
    ]
    boxes = LISTS["voicemail_boxes"]
    draft.values[boxes.name] = [each for each in draft.entries(boxes) if each["number"] not in numbers]
    draft.forget_members({id, found["mobile"], *numbers} - {""})
    return found


def referrers(error: Refused, values: Mapping[str, Any]) -> Refused:
    """Who still names a number that should go, in words: `IVR 700 (default): there is no number "201"` (USR-14)."""

    def named(field: str) -> str:
        section, _, rest = field.partition(".")
        index, _, key = rest.partition(".")
        of = LISTS.get(section)
        if of is None or not index.isdecimal() or int(index) >= len(values[section]):
            return field
        return f"{of.kind} {values[section][int(index)][of.key]} ({key})"

    return Refused(409, *((field, f"{named(field)}: {text}") for field, text in error.problems))


def _parts(entry: Values) -> tuple[Values, Values]:
    """What is of the person and what of the main terminal; what a card only shows is left out."""
    user, terminal = {}, {}
    for name, value in entry.items():
        if name in OF_TERMINAL:
            terminal[name] = value
        elif name not in ("numbers", "is_registered", "avatar", "group"):
            user[name] = value
    return user, terminal


def _new_terminal(terminal: Values, owner: str) -> Values:
    secret = terminal.get("password") or ("" if terminal.get("trust") else generate_password())
    return {**terminal, "owner": owner, "password": secret}


def _free_id(draft: Draft, number: object) -> str:
    known = {each["id"] for each in draft.entries(USERS)}
    wanted = f"u{number}" if number else "u1"
    tries = (wanted if index == 0 else f"{wanted}-{index}" for index in range(len(known) + 1))
    return next(each for each in tries if each not in known)


def _without_targets(forward: Values, gone: set[str]) -> Values:
    found = {name: "" if isinstance(value, str) and value in gone else value for name, value in forward.items()}
    found["callers"] = {caller: target for caller, target in forward["callers"].items() if target not in gone}
    return found


def shown(values: Values, *, secrets: bool = False) -> Values:
    found: Values = values if secrets else without_secrets(values)
    return found
