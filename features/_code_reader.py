"""The digits of somebody who talks, and the codes among them (FEAT-1, FEAT-2): a rule without a clock of its own."""

from collections.abc import Mapping


class CodeReader:
    """`codes` maps each code to its name. Digits of one code come within `pause_s` of each other."""

    def __init__(self, codes: Mapping[str, str], pause_s: float) -> None:
        self._codes, self._pause_s = codes, pause_s
        self._typed = ""
        self._last_at = 0.0

    def digit(self, digit: str, now: float) -> str:
        """The name of the code that this digit completes, or "". What cannot become a code any longer is forgotten from
        its beginning, so that a code counts wherever it begins."""
        if now - self._last_at > self._pause_s:
            self._typed = ""
        self._last_at = now
        self._typed += digit
        while self._typed and not any(code.startswith(self._typed) for code in self._codes):
            self._typed = self._typed[1:]
        name = self._codes.get(self._typed, "")
        if name:
            self._typed = ""
        return name
