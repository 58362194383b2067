"""What people may set of their own numbers (USR-25): of the terminal, of its mailbox, and whether they want calls."""

from collections.abc import Mapping
from typing import Any

from web.answers import Refused, refused
from web.draft import LISTS, Draft, Values, merged

TERMINALS, BOXES = LISTS["terminals"], LISTS["voicemail_boxes"]
OF_TERMINAL = ("forward", "calendar", "calendar_internal", "ringback")
EMAIL, DISTURB, PASSWORD = "voicemail_email", "do_not_disturb", "password"
OWN = (*OF_TERMINAL, EMAIL, DISTURB, PASSWORD)


def services_of(values: Mapping[str, Any], number: str, *, wants_none: bool) -> Values:
    """Raises `Refused` (404). The password is not shown."""
    entry = Draft(values).entry(TERMINALS, number)
    box: Values = next((each for each in values[BOXES.name] if each["number"] == number), {})
    own = {name: entry[name] for name in OF_TERMINAL}
    return {"number": number, **own, EMAIL: box.get("email", ""), DISTURB: wants_none}


def put_services(draft: Draft, number: str, part: Values) -> tuple[int, int]:
    """Change what is named; where terminal and mailbox stand, for the mistakes (-1: there is none)."""
    if others := [name for name in part if name not in OWN]:
        raise refused(422, f"only {', '.join(OWN)} can be changed here", others[0])
    place = draft.place(TERMINALS, number)
    wanted = {name: value for name, value in part.items() if name in OF_TERMINAL}
    if PASSWORD in part:
        wanted[PASSWORD] = _new_password(part[PASSWORD])
    draft.put(TERMINALS, place, merged(draft.entries(TERMINALS)[place], wanted))
    return place, _put_email(draft, number, part[EMAIL] or "") if EMAIL in part else -1


def as_of_services(error: Refused, places: tuple[int, int]) -> Refused:
    """Mistakes with the names that they have here."""
    names = {f"terminals.{places[0]}.": "", f"{BOXES.name}.{places[1]}.email": EMAIL}

    def field(path: str) -> str:
        for prefix, name in names.items():
            if path.startswith(prefix):
                return name or path.removeprefix(prefix)
        return path

    return Refused(error.status, *((field(path), text) for path, text in error.problems))


def _new_password(value: object) -> object:
    """A person cannot take the password away; whether it is good enough is said with all else."""
    if not isinstance(value, str) or not value:
        raise refused(422, "must not be empty", PASSWORD)
    return value


def _put_email(draft: Draft, number: str, email: object) -> int:
    boxes = draft.entries(BOXES)
    place = next((index for index, each in enumerate(boxes) if each["number"] == number), -1)
    if place < 0:
        return draft.add(BOXES, {"number": number, "email": email}) if email else -1
    draft.put(BOXES, place, {**boxes[place], "email": email})
    return place
