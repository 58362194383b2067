"""Requests of people for themselves and of who looks after the office: small things that change no document."""

from dataclasses import field
from typing import Protocol

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class GetNames:
    """→ dict: for each of the numbers whose it is; the number itself where nobody is known (USR-16)."""

    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GetDisturbance:
    """→ bool: whether who is at the terminal does not want to be disturbed (FEAT-23)."""

    number: str


@dataclass(frozen=True, slots=True)
class SetDisturbance:
    """→ bool: as it is now. `is_on`: all terminals of the person are busy from now on."""

    number: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Unregister:
    """→ bool: whether that phone was registered. It may register again."""

    number: str
    contact: str


@dataclass(frozen=True, slots=True)
class CheckLine:
    """→ `LineView`, after the provider has been asked now."""

    id: str


@dataclass(frozen=True, slots=True)
class PhoneCredentials:
    """What is typed into a phone."""

    number: str
    login: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MailCredentials:
    """→ str: what became of a letter with them to `address`, in that language, "" that of the office. `server`: where
    the phones register. `url`, `login` and `password` are of the portal; `login` "": none."""

    address: str
    language: str
    name: str
    server: str
    phones: tuple[PhoneCredentials, ...]
    url: str = ""
    login: str = ""
    password: str = field(default="", repr=False)


ErrandRequest = GetNames | GetDisturbance | SetDisturbance | Unregister | CheckLine | MailCredentials
ERRAND_REQUESTS: dict[str, type[ErrandRequest]] = {
    "names": GetNames,
    "disturbance": GetDisturbance,
    "set disturbance": SetDisturbance,
    "unregister": Unregister,
    "check line": CheckLine,
    "mail credentials": MailCredentials,
}


class Errands(Protocol):
    """Whoever answers these requests; a `ControlError` that it raises is told to the client."""

    async def answer(self, request: ErrandRequest) -> object: ...
