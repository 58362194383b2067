"""What was changed in the office: every version of it that was in force, and who changed anything through the API."""

from dataclasses import field

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class OfficeVersion:
    """The office as it came into force: `document` is the whole of it, with secrets, "" in lists of versions. `by` is
    who applied it, `source` by which way ("apply", "api", "rollback"), `summary` what it changed."""

    id: int
    applied_at: float
    by: str
    source: str
    summary: str
    document: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One write through the API (API-13): who (`user`, from `address`), what he did with which object, and the object
    before and after as JSON without secrets. `id` grows, 0: not stored yet."""

    at: float
    user: str
    address: str
    action: str
    object: str
    before: str = ""
    after: str = ""
    id: int = 0
