"""The digits of somebody who talks, and the codes among them (FEAT-1, FEAT-2): a rule without a clock of its own."""

from collections.abc import Mapping

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """What a digit has brought: the name of a code or "", and digits that belong to none and are for the other side."""

    name: str = ""
    passed: str = ""


class CodeReader:
    """`codes` maps each code to its name. Digits of one code come within `pause_s` of each other."""

    __slots__ = ("_codes", "_last_at", "_typed", "pause_s")

    def __init__(self, codes: Mapping[str, str], pause_s: float) -> None:
        self._codes, self.pause_s = codes, pause_s
        self._typed = ""
        self._last_at = 0.0

    @property
    def is_waiting(self) -> bool:
        """Digits are held back that may become a code."""
        return bool(self._typed)

    def digit(self, digit: str, now: float) -> Reading:
        """What cannot become a code any longer is passed from its beginning: a code counts wherever it begins."""
        passed = self.give_up() if now - self._last_at > self.pause_s else ""
        self._last_at = now
        self._typed += digit
        while self._typed and not any(code.startswith(self._typed) for code in self._codes):
            passed += self._typed[0]
            self._typed = self._typed[1:]
        name = self._codes.get(self._typed, "")
        if name:
            self._typed = ""
        return Reading(name, passed)

    def give_up(self) -> str:
        """The pause is over: what was held back has become no code."""
        rest, self._typed = self._typed, ""
        return rest
