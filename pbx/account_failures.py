"""Failed sign-ins by account: from where, how often, why (EXT-23). Since the start, until somebody has seen to them."""

from collections import OrderedDict

from frozen import dataclass

MOST_SOURCES = 50  # of one account; those that were quiet longest go


@dataclass(frozen=True, slots=True)
class AccountFailure:
    """Failures of one account from one address; moments are UTC seconds, `reason` is that of the last one."""

    number: str
    source: str
    count: int
    reason: str
    first_at: float
    last_at: float


class AccountFailures:
    """Accounts that exist, so whoever invents names fills nothing."""

    def __init__(self) -> None:
        self._found: dict[str, OrderedDict[str, AccountFailure]] = {}

    def failed(self, number: str, source: str, reason: str, wall: float) -> None:
        found = self._found.setdefault(number, OrderedDict())
        before = found.pop(source, None)
        count, first_at = (before.count + 1, before.first_at) if before is not None else (1, wall)
        found[source] = AccountFailure(number, source, count, reason, first_at, wall)
        if len(found) > MOST_SOURCES:
            found.popitem(last=False)

    def table(self, number: str = "") -> list[AccountFailure]:
        """Of one account, or of all; the latest first."""
        wanted = [number] if number else list(self._found)
        found = [each for account in wanted for each in self._found.get(account, {}).values()]
        return sorted(found, key=lambda each: -each.last_at)

    def clear(self, number: str) -> bool:
        """Count anew; whether there was anything."""
        return self._found.pop(number, None) is not None
