"""Who may listen to the conversations of an employee, or come into them (FEAT-26, RFC 3911): administrators, and
supervisors within their scope (USR-21)."""

from pbx.directory import Directory
from storage.records import User


def may_supervise(directory: Directory, watcher: str, watched: str) -> bool:
    """By the role of the person at the terminal `watcher`, and its scope. Nobody supervises itself."""
    mine, theirs = directory.terminal(watcher), directory.terminal(watched)
    person = directory.owner(mine) if mine is not None else None
    if person is None or theirs is None or watcher == watched:
        return False
    if person.role == "administrator":
        return True
    return person.role == "supervisor" and _in_scope(directory, person, directory.owner(theirs))


def _in_scope(directory: Directory, person: User, employee: User | None) -> bool:
    if "all" in person.scope:
        return True
    if employee is None:
        return False
    groups = [f"group:{group.id}" for group in directory.office.employee_groups if employee.id in group.members]
    return not {f"user:{employee.id}", *groups}.isdisjoint(person.scope)
