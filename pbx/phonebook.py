"""The directory of the office: people and their numbers, and who it is that a number belongs to (USR-15, USR-16)."""

from frozen import dataclass
from storage.records import Office

SAME_DIGITS = 9  # of numbers outside, at their end: 8 916…, +7 916… and 916… are one


@dataclass(frozen=True, slots=True)
class Phonebook:
    """Names by number, made once of an office. Numbers that are not for the phone book are in none of it."""

    length: int
    inside: dict[str, str]
    outside: dict[str, str]

    @classmethod
    def of(cls, office: Office) -> "Phonebook":
        names = {user.id: user.name for user in office.users}
        listed = (each for each in office.terminals if each.show_in_phonebook and each.owner in names)
        inside = {each.number: names[each.owner] for each in listed}
        outside = {_end(user.mobile): user.name for user in office.users if user.mobile}
        return cls(office.number_length, inside, outside)

    def find(self, number: str) -> str:
        """The name; "" where nobody is known. What is as long as numbers of the office is compared as a whole, longer
        numbers by their last nine digits."""
        digits = number.removeprefix("+")
        if len(digits) <= self.length:
            return self.inside.get(digits, "")
        return self.outside.get(_end(digits), "") if digits.isdecimal() else ""

    def name_of(self, number: str) -> str:
        """The same; the number itself where nobody is known."""
        return self.find(number) or number


def _end(number: str) -> str:
    return number.removeprefix("+")[-SAME_DIGITS:]
