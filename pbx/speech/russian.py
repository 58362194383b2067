"""Russian: genders and cases of numbers, three forms of nouns, dates in the genitive, a clock of 24 hours.

A number has the key `number/N`, and where it changes `number/N-f`, `-n` for gender, `-gen`, `-acc` for case, or both as
in `number/1-f-acc`. Nouns have `-one`, `-few` and `-many` (минута, минуты, минут). In the genitive they shift: after
one as after few, after few as after many (менее одной минуты, менее двух минут).
"""

from collections.abc import Mapping
from datetime import date, datetime, time

from pbx.speech.grammar import TOO_LARGE, Case, Gender, Keys, Word, day_word, digits, grouped, parts_of

M, F, N = Gender
NOM, GEN, ACC = Case

CARDINALS = {  # nominative, genitive
    0: "ноль ноля", 1: "один одного", 2: "два двух", 3: "три трёх", 4: "четыре четырёх", 5: "пять пяти",
    6: "шесть шести", 7: "семь семи", 8: "восемь восьми", 9: "девять девяти", 10: "десять десяти",
    11: "одиннадцать одиннадцати", 12: "двенадцать двенадцати", 13: "тринадцать тринадцати",
    14: "четырнадцать четырнадцати", 15: "пятнадцать пятнадцати", 16: "шестнадцать шестнадцати",
    17: "семнадцать семнадцати", 18: "восемнадцать восемнадцати", 19: "девятнадцать девятнадцати",
    20: "двадцать двадцати", 30: "тридцать тридцати", 40: "сорок сорока", 50: "пятьдесят пятидесяти",
    60: "шестьдесят шестидесяти", 70: "семьдесят семидесяти", 80: "восемьдесят восьмидесяти",
    90: "девяносто девяноста", 100: "сто ста", 200: "двести двухсот", 300: "триста трёхсо́т",
    400: "четыреста четырёхсо́т", 500: "пятьсот пятисот", 600: "шестьсот шестисот", 700: "семьсот семисот",
    800: "восемьсот восьмисот", 900: "девятьсот девятисот",
}  # fmt: skip
STRESS = "\N{COMBINING ACUTE ACCENT}"  # after the vowel; for the synthesiser, which guesses some words wrong
ORDINALS = {  # masculine
    0: "нулевой", 1: "пе́рвый", 2: "второй", 4: "четвёртый", 5: "пя́тый", 6: "шестой", 7: "седьмой", 8: "восьмой",
    9: "девя́тый", 10: "деся́тый", 11: "оди́ннадцатый", 12: "двена́дцатый", 13: "трина́дцатый", 14: "четы́рнадцатый",
    15: "пятна́дцатый", 16: "шестна́дцатый", 17: "семна́дцатый", 18: "восемна́дцатый", 19: "девятна́дцатый",
    20: "двадца́тый", 30: "тридца́тый", 40: "сороковой", 50: "пятидеся́тый", 60: "шестидеся́тый", 70: "семидеся́тый",
    80: "восьмидеся́тый", 90: "девяно́стый", 100: "со́тый", 200: "двухсо́тый", 300: "трёхсо́тый", 400: "четырёхсо́тый",
    500: "пятисо́тый", 600: "шестисо́тый", 700: "семисо́тый", 800: "восьмисо́тый", 900: "девятисо́тый", 1000: "ты́сячный",
    2000: "двухты́сячный", 3000: "трёхты́сячный", 4000: "четырёхты́сячный", 5000: "пятиты́сячный", 6000: "шеститы́сячный",
    7000: "семиты́сячный", 8000: "восьмиты́сячный", 9000: "девятиты́сячный", 10**6: "миллио́нный",
}  # fmt: skip
ENDINGS = {"-f": "ая", "-n": "ое", "-gen": "ого", "-f-gen": "ой", "-f-acc": "ую"}
THIRD = {"": "третий", "-f": "третья", "-n": "третье", "-gen": "третьего", "-f-gen": "третьей", "-f-acc": "третью"}
NOUNS = {
    "number/1000": "тысяча тысячи тысяч", "number/1000000": "миллион миллиона миллионов",
    "number/1000000000": "миллиа́рд миллиа́рда миллиардов", "unit/second": "секунда секунды секунд",
    "unit/minute": "минута минуты минут", "unit/hour": "час часа́ часов", "unit/day": "день дня дней",
}  # fmt: skip
SCALES = {10**9: M, 10**6: M, 1000: F}
UNIT_GENDERS = {"second": F, "minute": F, "hour": M, "day": M}
DAYS = ["понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"]
MONTHS = [
    "января", "февраля", "марта", "апреля", "мая", "июня", "июля", "а́вгуста", "сентября", "октября", "ноября",
    "декабря",
]  # fmt: skip
RECORDED = {  # of the words that are not made by a rule
    "number/1-n": "digits/1n", "number/100": "digits/hundred",
    "number/1000-one": "digits/thousand", "number/1000-few": "digits/h-thousand",
    "number/1000000-one": "digits/million", "number/1000000-few": "digits/h-million",
    "number/1000000000-one": "digits/billion", "number/1000000000-many": "digits/h-billion",
    "unit/minute-one": "queue-minute", "unit/minute-many": "queue-minutes", "unit/second-many": "queue-seconds",
    "unit/hour-many": "hours",
}  # fmt: skip


def _numbers() -> dict[str, Word]:
    found = {"number/1-f": "одна", "number/1-n": "одно", "number/2-f": "две", "number/1-f-gen": "одной"}
    found["number/1-f-acc"] = "одну"
    for n, forms in CARDINALS.items():
        found[f"number/{n}"], found[f"number/{n}-gen"] = forms.split()
    for n, masculine in ORDINALS.items():
        stress = STRESS if masculine.endswith("ой") else ""
        found[f"ordinal/{n}"] = masculine[:-1] + stress + "й"
        for suffix, ending in ENDINGS.items():
            found[f"ordinal/{n}{suffix}"] = masculine[:-2] + ending[0] + stress + ending[1:]
    found |= {f"ordinal/3{suffix}": text for suffix, text in THIRD.items()}
    for noun, forms in NOUNS.items():
        found |= {f"{noun}-{form}": text for form, text in zip(("one", "few", "many"), forms.split(), strict=True)}
        if forms.split()[0].endswith("а"):
            found[f"{noun}-acc"] = forms.split()[0][:-1] + "у"
    return {key: Word(text, RECORDED.get(key) or _recorded(key)) for key, text in found.items()}


def _recorded(key: str) -> str:
    """The recorded set has the nominative of masculine numbers below 100."""
    kind, _, name = key.partition("/")
    if not name.isdecimal() or int(name) >= 100 or key == "ordinal/0":
        return ""
    return f"digits/{name}" if kind == "number" else f"digits/h-{name}"


WORDS: Mapping[str, Word] = {
    **_numbers(),
    **{f"day/{n}": Word(text, f"digits/day-{(n + 1) % 7}") for n, text in enumerate(DAYS)},
    **{f"month/{n}": Word(text, f"digits/mon-{n - 1}") for n, text in enumerate(MONTHS, 1)},
    "word/year": Word("года"),
    "word/minus": Word("минус", "digits/minus"),
    "word/plus": Word("плюс", "letters/plus"),
    "word/star": Word("звёздочка", "digits/star"),
    "word/hash": Word("решётка"),
    "word/at": Word("в", "digits/at"),
    "word/today": Word("сегодня", "digits/today"),
    "word/yesterday": Word("вчера", "digits/yesterday"),
    "word/tomorrow": Word("завтра", "digits/tomorrow"),
}


def number(value: int, gender: Gender = M, case: Case = NOM) -> Keys:
    if value < 0:
        return ("word/minus", *number(-value, gender, case))
    if value >= TOO_LARGE:
        return digits(str(value))
    if value == 0:
        return (_form("number/0", gender, case),)
    found: Keys = ()
    rest = value
    for scale, scale_gender in SCALES.items():
        count, rest = divmod(rest, scale)
        if count == 1 and not found:  # тысяча, not одна тысяча
            found = (_noun(f"number/{scale}", 1, case),)
        elif count:
            found += (*_below_thousand(count, scale_gender, case), _noun(f"number/{scale}", count, case))
    return found + _below_thousand(rest, gender, case)


def _below_thousand(value: int, gender: Gender, case: Case) -> Keys:
    hundreds, rest = value // 100 * 100, value % 100
    words = [hundreds, rest] if rest < 20 else [hundreds, rest // 10 * 10, rest % 10]
    return tuple(_form(f"number/{word}", gender, case) for word in words if word)


def _form(key: str, gender: Gender, case: Case) -> str:
    """The form of a number that agrees best: by gender and case, by case, by gender; many do not change."""
    suffixes = (f"-{gender}-{case}", f"-{case}", f"-{gender}", "")
    return next(key + suffix for suffix in suffixes if key + suffix in WORDS)


def _noun(key: str, count: int, case: Case) -> str:
    form = plural(count)
    if case is GEN:
        form = "few" if form == "one" else "many"
    elif case is ACC and form == "one" and f"{key}-acc" in WORDS:
        form = "acc"
    return f"{key}-{form}"


def ordinal(value: int, gender: Gender = M, case: Case = NOM) -> Keys:
    last = _last_word(value)
    if f"ordinal/{last}" not in WORDS:
        return number(value, gender, case)
    before = number(value - last) if value > last else ()
    return (*before, _form(f"ordinal/{last}", gender, case))


def _last_word(value: int) -> int:
    """Of what the last word of an ordinal number counts: 26 of 2026 is двадцать and 6, 2000 is one word."""
    if value % 100 and (value % 100 < 20 or not value % 10):
        return value % 100
    return next((part for part in (value % 10, value % 1000, value % 10**6) if part), value)


def plural(value: int) -> str:
    last, last_two = abs(value) % 10, abs(value) % 100
    if last == 1 and last_two != 11:
        return "one"
    return "few" if 2 <= last <= 4 and not 12 <= last_two <= 14 else "many"


def phone(number: str) -> Keys:
    return grouped(number, (2, 2, 3, 3) if len(digits(number)) >= 7 else (2, 2) if len(digits(number)) > 4 else ())


def duration(seconds: int, case: Case = NOM) -> Keys:
    return tuple(key for count, unit in parts_of(seconds) for key in _counted(count, unit, case))


def _counted(count: int, unit: str, case: Case) -> Keys:
    return (*number(count, UNIT_GENDERS[unit], case), _noun(f"unit/{unit}", count, case))


def time_of_day(at: time, case: Case = NOM) -> Keys:
    return (*_counted(at.hour, "hour", case), *(_counted(at.minute, "minute", case) if at.minute else ()))


def calendar_day(day: date, case: Case = NOM, *, with_year: bool = True) -> Keys:
    year = (*ordinal(day.year, M, GEN), "word/year") if with_year else ()
    return (*ordinal(day.day, N, case), f"month/{day.month}", *year)


def weekday(day: date) -> Keys:
    return (f"day/{day.weekday()}",)


def moment(at: datetime, now: datetime) -> Keys:
    word = day_word(at.date(), now.date())
    day = (word,) if word else calendar_day(at.date(), GEN, with_year=at.year != now.year)
    return (*day, "word/at", *time_of_day(at.time(), ACC))
