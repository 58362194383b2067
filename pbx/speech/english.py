"""English as the recorded set has it, which is American: one hundred one, 2:30 p.m., November twenty-fifth."""

from collections.abc import Mapping
from datetime import date, datetime, time

from pbx.speech.grammar import TOO_LARGE, Case, Gender, Keys, Word, day_word, digits, grouped, parts_of

SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = {10**9: "billion", 10**6: "million", 1000: "thousand", 100: "hundred"}
SMALL_ORDINALS = [
    "zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth",
    "nineteenth",
]  # fmt: skip
TENS_ORDINALS = [
    "twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth", "seventieth", "eightieth", "ninetieth",
]  # fmt: skip
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
]  # fmt: skip

WORDS: Mapping[str, Word] = {
    **{f"number/{n}": Word(text, f"digits/{n}") for n, text in enumerate(SMALL)},
    **{f"number/{n}": Word(text, f"digits/{n}") for n, text in zip(range(20, 100, 10), TENS, strict=True)},
    **{f"number/{n}": Word(text, f"digits/{text}") for n, text in SCALES.items()},
    **{f"ordinal/{n}": Word(text, f"digits/h-{n}" if n else "") for n, text in enumerate(SMALL_ORDINALS)},
    **{f"ordinal/{n}": Word(text, f"digits/h-{n}") for n, text in zip(range(20, 100, 10), TENS_ORDINALS, strict=True)},
    **{f"ordinal/{n}": Word(f"{text}th", f"digits/h-{text}") for n, text in SCALES.items()},
    **{f"day/{n}": Word(text, f"digits/day-{(n + 1) % 7}") for n, text in enumerate(DAYS)},
    **{f"month/{n}": Word(text, f"digits/mon-{n - 1}") for n, text in enumerate(MONTHS, 1)},
    "unit/second-one": Word("second", "second"),
    "unit/second-many": Word("seconds", "seconds"),
    "unit/minute-one": Word("minute", "minute"),
    "unit/minute-many": Word("minutes", "minutes"),
    "unit/hour-one": Word("hour"),
    "unit/hour-many": Word("hours", "hours"),
    "unit/day-one": Word("day"),
    "unit/day-many": Word("days"),
    "word/minus": Word("minus", "digits/minus"),
    "word/plus": Word("plus", "letters/plus"),
    "word/star": Word("star", "digits/star"),
    "word/hash": Word("pound", "digits/pound"),
    "word/oh": Word("oh", "digits/oh"),
    "word/at": Word("at", "digits/at"),
    "word/am": Word("a m", "digits/a-m"),
    "word/pm": Word("p m", "digits/p-m"),
    "word/today": Word("today", "digits/today"),
    "word/yesterday": Word("yesterday", "digits/yesterday"),
    "word/tomorrow": Word("tomorrow", "digits/tomorrow"),
}


def number(value: int, gender: Gender = Gender.MASCULINE, case: Case = Case.NOMINATIVE) -> Keys:
    if value < 0:
        return ("word/minus", *number(-value))
    if value >= TOO_LARGE:
        return digits(str(value))
    if value < 20:
        return (f"number/{value}",)
    if value < 100:
        return (f"number/{value // 10 * 10}", *_rest(value % 10))
    scale = next(scale for scale in SCALES if value >= scale)
    return (*number(value // scale), f"number/{scale}", *_rest(value % scale))


def _rest(value: int) -> Keys:
    return number(value) if value else ()


def ordinal(value: int, gender: Gender = Gender.MASCULINE, case: Case = Case.NOMINATIVE) -> Keys:
    *before, last = number(value)
    changed = last.replace("number/", "ordinal/")
    return (*before, changed) if value < TOO_LARGE else number(value)


def plural(value: int) -> str:
    return "one" if value == 1 else "many"


def phone(number: str) -> Keys:
    return grouped(number, (4, 3, 3) if len(digits(number)) >= 7 else (3,) if len(digits(number)) > 4 else ())


def duration(seconds: int, case: Case = Case.NOMINATIVE) -> Keys:
    return tuple(key for count, unit in parts_of(seconds) for key in (*number(count), f"unit/{unit}-{plural(count)}"))


def time_of_day(at: time, case: Case = Case.NOMINATIVE) -> Keys:
    oh = ("word/oh",) if 0 < at.minute < 10 else ()
    return (*number(at.hour % 12 or 12), *oh, *_rest(at.minute), "word/am" if at.hour < 12 else "word/pm")


def calendar_day(day: date, case: Case = Case.NOMINATIVE, *, with_year: bool = True) -> Keys:
    return (f"month/{day.month}", *ordinal(day.day), *(_year(day.year) if with_year else ()))


def _year(year: int) -> Keys:
    """Twenty twenty-six, nineteen oh five, nineteen hundred; but two thousand five."""
    century, rest = divmod(year, 100)
    if century % 10 == 0 and rest < 10:
        return number(year)
    if not rest:
        return (*number(century), "number/100")
    return (*number(century), *(("word/oh",) if rest < 10 else ()), *number(rest))


def weekday(day: date) -> Keys:
    return (f"day/{day.weekday()}",)


def moment(at: datetime, now: datetime) -> Keys:
    word = day_word(at.date(), now.date())
    day = (word,) if word else calendar_day(at.date(), with_year=at.year != now.year)
    return (*day, "word/at", *time_of_day(at.time()))
