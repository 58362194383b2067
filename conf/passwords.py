"""Passwords of SIP accounts: the policy (EXT-5, AMB-7) and a generator that obeys it."""

import secrets
import string
from collections.abc import Callable, Sequence

MIN_LENGTH = 9
MAX_LENGTH = 100
SPECIAL = "-_[]{}@;"
PHONE_SAFE_SPECIAL = "-_@"  # some phones break on ; { } [ ] in a password

_CLASSES = (
    (string.ascii_uppercase, "an upper-case letter"),
    (string.ascii_lowercase, "a lower-case letter"),
    (string.digits, "a digit"),
    (SPECIAL, f"one of the signs {' '.join(SPECIAL)}"),
)
_PRINTABLE = frozenset(map(chr, range(0x21, 0x7F)))


def weakness(password: str) -> str:
    """What the policy misses in `password`, as a sentence; empty when it is good. The password is not quoted."""
    if len(password) < MIN_LENGTH:
        return f"the password is too short: at least {MIN_LENGTH} characters, not {len(password)}"
    if len(password) > MAX_LENGTH:
        return f"the password is too long: at most {MAX_LENGTH} characters, not {len(password)}"
    if not _PRINTABLE.issuperset(password):
        return "the password may hold only ASCII letters, digits and signs, no spaces: phones encode others differently"
    missing = _missing(password)
    return f"the password is too weak: it needs {' and '.join(missing)}" if missing else ""


def _missing(password: str) -> Sequence[str]:
    return [words for characters, words in _CLASSES if not set(characters) & set(password)]


def generate_password(length: int = 20, choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """A random password that every phone accepts, of the policy unless it is to be shorter; `choose` picks one of the
    characters given."""
    alphabet = string.ascii_letters + string.digits + PHONE_SAFE_SPECIAL
    while True:
        password = "".join(choose(alphabet) for _ in range(length))
        if password[0] in string.ascii_letters and not _missing(password):
            return password
