"""A call as its script sees it. Each verb returns when it is done; the server carries it out."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from datetime import date, datetime, time
from typing import Any, NoReturn

Ask = Callable[[str, Mapping[str, object]], Any]


class CallEnded(BaseException):
    """The caller is gone, or the script has ended the call: nothing more can be asked for. Let it pass."""


class Refused(Exception):
    """A verb could not be carried out; the message says why."""


class Call:
    """`number` is what was dialled, `caller` who calls; `id` and `conversation` are those of the history."""

    def __init__(self, ask: Ask, facts: Mapping[str, str]) -> None:
        self._ask = ask
        self.id, self.conversation = facts["id"], facts["conversation"]
        self.number, self.caller, self.caller_name = facts["number"], facts["caller"], facts["caller_name"]
        self.language = facts["language"]
        self.variables: MutableMapping[str, str] = _Values(ask, "variable")
        self.store: MutableMapping[str, str] = _Values(ask, "stored")

    def answer(self) -> None:
        """Take the call off the hook. Verbs that play or listen do so by themselves."""
        self._ask("answer", {})

    def play(self, *sounds: str) -> None:
        """Sounds of the office by id, or what `record` returned, one after the other to their end."""
        self._ask("play", {"sounds": sounds})

    def say_digits(self, digits: str) -> None:
        self._ask("say", {"what": "digits", "value": digits})

    def say_number(self, number: int) -> None:
        self._ask("say", {"what": "number", "value": number})

    def say_date(self, day: date) -> None:
        self._ask("say", {"what": "date", "value": day.isoformat()})

    def say_time(self, at: time | datetime) -> None:
        self._ask("say", {"what": "time", "value": f"{at:%H:%M}"})

    def digits(
        self, most: int = 1, *, sound: str = "", timeout: float = 7.0, pause: float = 2.0, end: str = "#"
    ) -> str:
        """Up to `most` digits, "" for none. `sound` plays until the first one; `timeout` s are left after it for the
        first digit, `pause` s for each further one; keys of `end` end the input."""
        wanted = {"most": most, "sound": sound, "first": timeout, "next": pause, "end": end}
        return str(self._ask("digits", wanted))

    def record(self, *, longest: float = 120.0, silence: float = 10.0) -> str:
        """After a tone what the caller says, until #, so many s of silence or the longest time; the history of the call
        has it. Returns what `play` takes, "" when nothing was said."""
        return str(self._ask("record", {"longest": longest, "silence": silence}))

    def dial(self, number: str, *, ring_time: float = 30.0) -> str:
        """Ring a terminal and let both talk. "answered" when they have and the caller is still there; else "busy",
        "no_answer", "unavailable" or another cause of the history."""
        return str(self._ask("dial", {"number": number, "ring_time": ring_time}))

    def transfer(self, target: str) -> NoReturn:
        """The call goes on at any number of the office, an outside number or a service such as "voicemail"; the script
        ends."""
        self._ask("transfer", {"target": target})
        raise CallEnded

    def hangup(self, why: str = "normal") -> NoReturn:
        """End the call: "normal", "busy", "declined" or "unavailable"."""
        self._ask("hangup", {"why": why})
        raise CallEnded

    def set_caller(self, *, name: str | None = None, number: str | None = None) -> None:
        """What phones show of the caller from now on."""
        self._ask("caller", {"name": name, "number": number})

    def set_language(self, language: str) -> None:
        """In which prompts are said to the caller: "en" or "ru"."""
        self._ask("language", {"language": language})
        self.language = language

    def music(self, seconds: float) -> None:
        """Music on hold for so long."""
        self._ask("music", {"seconds": seconds})

    def wait(self, seconds: float) -> None:
        """Silence for so long; digits that come meanwhile are kept for `digits`."""
        self._ask("wait", {"seconds": seconds})

    def log(self, text: str) -> None:
        """A line in the log of the server; `print` does the same."""
        self._ask("log", {"text": text})


class _Values(MutableMapping[str, str]):
    """Texts by name that the server keeps: for this conversation, or for ever."""

    def __init__(self, ask: Ask, kind: str) -> None:
        self._ask, self._kind = ask, kind

    def __getitem__(self, name: str) -> str:
        found = self._ask("get", {"kind": self._kind, "name": name})
        if found is None:
            raise KeyError(name)
        return str(found)

    def __setitem__(self, name: str, value: str) -> None:
        self._ask("put", {"kind": self._kind, "name": name, "value": value})

    def __delitem__(self, name: str) -> None:
        self._ask("put", {"kind": self._kind, "name": name, "value": None})

    def __iter__(self) -> Iterator[str]:
        return iter(self._ask("names", {"kind": self._kind}))

    def __len__(self) -> int:
        return len(self._ask("names", {"kind": self._kind}))
