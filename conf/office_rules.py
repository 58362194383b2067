"""Rules of `office.toml` that hold between entries: unique ids, owners who exist, passwords; with those of numbers, of
codes and of ways outside, which have modules of their own.

They read the raw values, so that they speak even where some other key of the same entry is wrong.
"""

from collections.abc import Iterator, Mapping

from conf.errors import KeyPath, Problem, path_text
from conf.office_calendar_rules import problems_of_calendars
from conf.office_codes import problems_of_codes
from conf.office_inbound_rules import problems_of_inbound
from conf.office_namespace import problems_of_numbers
from conf.office_networks import problems_of_networks
from conf.office_values import Values, entries, items_of, table_of, texts, texts_of
from conf.office_ways import problems_of_ways
from conf.passwords import weakness
from conf.provider_templates import with_template
from conf.sound_uses import OF_LISTS, OF_SECTIONS

_WITH_ID = (
    *("users", "location_groups", "employee_groups", "networks", "providers", "sounds", "lamp_lists"),
    *("calendars", "off_hours", "inbound_rules", "number_rules", "caller_lists", "lost_call_alarms", "tariffs"),
)


def problems_between(values: Values, stored_passwords: Mapping[str, str] | None) -> Iterator[Problem]:
    """Every broken rule. `stored_passwords`: number → password of the office in force, None when it is not known."""
    for section in _WITH_ID:
        yield from _used_twice(values, section, "id")
    yield from _used_twice(values, "voicemail_boxes", "number")
    yield from _used_twice(values, "outbound_routes", "name")
    yield from problems_of_numbers(values)
    yield from problems_of_codes(values)
    yield from problems_of_ways(values)
    yield from problems_of_networks(values)
    yield from _owners(values)
    yield from _scopes(values)
    yield from _places(values)
    yield from _employee_groups(values)
    yield from _sounds(values)
    yield from _menus(values)
    yield from _penalties(values)
    yield from problems_of_calendars(values)
    yield from problems_of_inbound(values)
    yield from _passwords(values, stored_passwords)
    yield from _logins(values)


def _used_twice(values: Values, section: str, key: str) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for path, value in texts(values, section, key):
        if value in first:
            yield Problem(path, f'"{value}" is already used by {section}[{first[value][1]}]')
        first.setdefault(value, path)


def _owners(values: Values) -> Iterator[Problem]:
    """USR-3: people own any number of terminals, one of them is the main one."""
    users = {user for _, user in texts(values, "users", "id")}
    main_of: dict[str, KeyPath] = {}
    for path, terminal in entries(values, "terminals"):
        owner = terminal.get("owner", "")
        if not isinstance(owner, str):
            continue
        if owner and owner not in users:
            yield Problem((*path, "owner"), f'there is no user "{owner}"')
        if terminal.get("main") is True:
            if not owner:
                yield Problem((*path, "main"), "only a terminal with an owner is the main one")
            elif owner in main_of:
                yield Problem((*path, "main"), f'{path_text(main_of[owner])} is the main one of "{owner}" already')
            main_of.setdefault(owner, path)


def _scopes(values: Values) -> Iterator[Problem]:
    known = {"all"} | {f"user:{user}" for _, user in texts(values, "users", "id")}
    known |= {f"group:{group}" for _, group in texts(values, "employee_groups", "id")}
    for path, entry in entries(values, "users"):
        scope = entry.get("scope")
        if not isinstance(scope, list) or not scope:
            continue
        if entry.get("role") != "supervisor":
            yield Problem((*path, "scope"), 'only a user with role = "supervisor" has a scope')
        for index, name in enumerate(scope):
            kind, _, target = name.partition(":") if isinstance(name, str) else ("", "", "")
            if kind in ("user", "group") and target and name not in known:
                yield Problem((*path, "scope", index), f'there is no {kind} "{target}"')


def _places(values: Values) -> Iterator[Problem]:
    """GRP-3. Where the office has no location groups, a location is any text."""
    parents = {
        name: parent
        for _, entry in entries(values, "location_groups")
        if isinstance(name := entry.get("id"), str) and isinstance(parent := entry.get("parent", ""), str)
    }
    for path, parent in texts(values, "location_groups", "parent"):
        if parent not in parents:
            yield Problem(path, f'there is no location group "{parent}"')
        elif _is_inside_itself(parent, parents):
            yield Problem(path, f'"{parent}" would be inside itself')
    for path, location in texts(values, "users", "location"):
        if parents and location not in parents:
            yield Problem(path, f'there is no location group "{location}"')


def _is_inside_itself(name: str, parents: Mapping[str, str]) -> bool:
    above = parents.get(name, "")
    for _ in parents:
        if above == name:
            return True
        above = parents.get(above, "")
    return False


def _employee_groups(values: Values) -> Iterator[Problem]:
    users = {user for _, user in texts(values, "users", "id")}
    group_of: dict[str, KeyPath] = {}
    default: KeyPath = ()
    for path, group in entries(values, "employee_groups"):
        for place, user in items_of(group, path, "members"):
            if user not in users:
                yield Problem(place, f'there is no user "{user}"')
            elif user in group_of:
                yield Problem(place, f'"{user}" is already in {path_text(group_of[user])}')
            group_of.setdefault(user, path)
        if group.get("is_default") is True:
            if default:
                yield Problem((*path, "is_default"), f"{path_text(default)} is the default already")
            default = path


def _sounds(values: Values) -> Iterator[Problem]:
    """SND-7: a sound cannot go while it is used; all its users are told."""
    known = {sound for _, sound in texts(values, "sounds", "id")}
    uses = [use for section, keys in OF_LISTS.items() for use in texts(values, section, *keys)]
    for section, keys in OF_SECTIONS.items():
        uses += texts_of(table_of(values, section), (section,), *keys)
    for path, sound in uses:
        if sound not in known:
            others = [path_text(place) for place, used in uses if used == sound and place != path]
            yield Problem(
                path, f'there is no sound "{sound}"' + (f"; also used by {', '.join(others)}" if others else "")
            )


def _menus(values: Values) -> Iterator[Problem]:
    """What may be said stands for one key that is there (IVR-1)."""
    for path, menu in entries(values, "ivrs"):
        meant: dict[str, str] = {}
        for key, phrases in table_of(menu, "phrases").items():
            if key not in table_of(menu, "keys"):
                yield Problem((*path, "phrases", key), f'"{key}" is not in keys')
            for phrase in phrases if isinstance(phrases, list) else ():
                other = meant.setdefault(str(phrase).casefold(), key)
                if other != key:
                    yield Problem((*path, "phrases", key), f'"{phrase}" means {other} already')


def _penalties(values: Values) -> Iterator[Problem]:
    for path, queue in entries(values, "queues"):
        agents = {agent for _, agent in items_of(queue, path, "agents")}
        for agent in table_of(queue, "penalties"):
            if agent not in agents and queue.get("dynamic_agents") is not True:
                yield Problem((*path, "penalties", agent), f'"{agent}" is not among the agents')


def _logins(values: Values) -> Iterator[Problem]:
    """Each terminal has a login of its own (EXT-3). A provider where we register needs a login; whether it has a
    password shows there. One that registers here needs both, and is no terminal; of all others we have to know the
    host."""
    suffix = table_of(values, "office").get("login_suffix", "")
    taken = {f"{number}{suffix}": path for path, number in _without_login(values)}
    for path, name in texts(values, "terminals", "login"):
        if name in taken:
            yield Problem(path, f'"{name}" is already used by {path_text(taken[name][:2])}')
        taken.setdefault(name, path)
    for path, written in entries(values, "providers"):
        provider = with_template(written)
        kind, login = provider.get("kind", "register"), provider.get("login", "")
        if kind in ("register", "inbound_register") and not login:
            yield Problem(path, 'the login is missing (only a provider with kind = "ip" does without)')
        if kind != "inbound_register":
            if not provider.get("host"):
                yield Problem(path, '"host" is missing')
        elif isinstance(login, str) and login:
            if login in taken:
                yield Problem((*path, "login"), f'"{login}" is already used by {path_text(taken[login][:2])}')
            taken[login] = path
            if provider.get("password") == "":
                yield Problem((*path, "password"), "the password is missing: whoever knows it calls as this provider")


def _without_login(values: Values) -> Iterator[tuple[KeyPath, str]]:
    """The numbers of terminals that are part of their login."""
    for path, terminal in entries(values, "terminals"):
        if not terminal.get("login"):
            yield from texts_of(terminal, path, "number")


def _passwords(values: Values, stored: Mapping[str, str] | None) -> Iterator[Problem]:
    for path, terminal in entries(values, "terminals"):
        password, number = terminal.get("password", ""), terminal.get("number")
        known = stored.get(number, "") if stored is not None and isinstance(number, str) else ""
        if isinstance(password, str) and password:
            if password != known and (why := weakness(password)):
                yield Problem((*path, "password"), why)
        elif password == "" and not terminal.get("trust") and not _is_kept(terminal, stored, known):
            yield Problem((*path, "password"), "the password is missing (only a terminal with trust may do without)")


def _is_kept(terminal: Values, stored: Mapping[str, str] | None, known: str) -> bool:
    """An absent key keeps the stored password; an empty text asks for none."""
    return "password" not in terminal and (stored is None or bool(known))
