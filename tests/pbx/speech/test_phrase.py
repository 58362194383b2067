"""Phrases: where values go, in which form, and what is wrong with a bad line."""

from datetime import date, datetime, time

import pytest

from pbx.speech.catalogue import LANGUAGES, catalogue, phrases_of
from pbx.speech.grammar import Case, Gender, Word
from pbx.speech.phrase import BadPhrase, Phrase, Slot, Value, parse
from tests.pbx.speech.spoken import said

NOW = datetime(2026, 11, 25, 12)


def test_a_text_without_values_is_one_piece_with_the_key_of_the_prompt() -> None:
    assert parse("queue-next", "You are next.", "queue-youarenext") == Phrase(
        ("queue-next",), {"queue-next": Word("You are next.", "queue-youarenext")}
    )


def test_text_around_a_value_becomes_numbered_pieces() -> None:
    assert parse("k", "You are number {n}, please wait.", "a b+c") == Phrase(
        ("k-1", Slot("n"), "k-2"), {"k-1": Word("You are number", "a"), "k-2": Word("please wait.", "b+c")}
    )


def test_marks_alone_are_no_piece() -> None:
    assert parse("k", "At {n}.") == Phrase(("k", Slot("n")), {"k": Word("At")})


def test_forms_of_a_noun_are_pieces_of_their_own() -> None:
    phrase = parse("k", "{n:number f acc, минуту, минуты, минут}", "- b c")
    assert phrase.parts == (Slot("n", "number", Gender.FEMININE, Case.ACCUSATIVE, "k-n"),)
    assert phrase.words == {
        "k-n-one": Word("минуту"),
        "k-n-few": Word("минуты", "b"),
        "k-n-many": Word("минут", "c"),
    }


@pytest.mark.parametrize(
    ("template", "recorded", "why"),
    [
        ("{n:nomber}", "", '"nomber" is not understood'),
        ("{n:number, one}", "", '"number, one" is not understood'),
        ("{n", "", "expected '}'"),
        ("a {n} b", "one", "2 pieces, but 1 recordings"),
        ("a", "one two", "1 pieces, but 2 recordings"),
    ],
)
def test_a_bad_template_is_a_sentence(template: str, recorded: str, why: str) -> None:
    with pytest.raises(BadPhrase) as caught:
        parse("key", template, recorded)
    assert str(caught.value).startswith("key: ")
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "nobody says what value is"),
        ({"value": "seven"}, "'seven' is no number"),
        ({"value": date(2026, 1, 1)}, "is no number"),
    ],
)
def test_a_value_that_does_not_suit_is_a_sentence(values: dict[str, Value], why: str) -> None:
    with pytest.raises(BadPhrase, match=why):
        catalogue("en").keys("say-number", values)


@pytest.mark.parametrize("prompt", ["say-time", "say-date", "say-weekday", "say-moment"])
def test_a_number_is_no_time(prompt: str) -> None:
    with pytest.raises(BadPhrase, match="value is no"):
        catalogue("en").keys(prompt, {"value": 5})


def test_a_prompt_that_does_not_exist_is_a_sentence() -> None:
    with pytest.raises(BadPhrase, match="no such prompt"):
        catalogue("en").keys("say-nothing", {})


@pytest.mark.parametrize(
    ("prompt", "values", "en", "ru"),
    [
        ("say-number", {"value": 21}, "twenty one", "двадцать один"),
        ("say-number", {"value": 20.6}, "twenty one", "двадцать один"),
        ("say-ordinal", {"value": 21}, "twenty first", "двадцать первый"),
        ("say-digits", {"value": "2+0"}, "two plus zero", "два плюс ноль"),
        ("say-digits", {"value": 105}, "one zero five", "один ноль пять"),
        ("say-phone", {"value": "12345"}, "one two | three four five", "один | два три | четыре пять"),
        ("say-duration", {"value": 125}, "two minutes five seconds", "две минуты пять секунд"),
        ("say-time", {"value": time(9, 5)}, "nine oh five a m", "девять часов пять минут"),
        ("say-weekday", {"value": NOW}, "Wednesday", "среда"),
        ("say-date", {"value": date(2001, 1, 1)}, "January first two thousand one",
         "первое января две тысячи первого года"),
        ("say-moment", {"value": (NOW, NOW)}, "today at twelve p m", "сегодня в двенадцать часов"),
        ("call-own-number", {"number": "101"}, "Your number is one zero one", "Ваш номер один ноль один"),
        ("queue-position", {"number": 3}, "You are currently caller number three waiting for an answer.",
         "Ваша позиция в очереди: три"),
        ("queue-place", {"place": 1}, "You are first in the queue.", "Вы первый в очереди."),
        ("queue-place", {"place": 21}, "You are twenty first in the queue.", "Вы двадцать первый в очереди."),
        ("queue-wait", {"wait": 60}, "The estimated hold time is one minute",
         "Прогнозируемое время ожидания составляет одну минуту"),
        ("queue-wait", {"wait": 120}, "The estimated hold time is two minutes",
         "Прогнозируемое время ожидания составляет две минуты"),
        ("queue-wait", {"wait": 1260}, "The estimated hold time is twenty one minutes",
         "Прогнозируемое время ожидания составляет двадцать одну минуту"),
        ("voicemail-messages-new", {"new": 1}, "You have one new message", "У вас одно новое сообщение"),
        ("voicemail-messages-new", {"new": 2}, "You have two new messages", "У вас два новых сообщения"),
        ("voicemail-messages-new", {"new": 5}, "You have five new messages", "У вас пять новых сообщений"),
        ("voicemail-messages-new", {"new": 11}, "You have eleven new messages", "У вас одиннадцать новых сообщений"),
        ("voicemail-messages-new", {"new": 21}, "You have twenty one new messages",
         "У вас двадцать одно новое сообщение"),
        ("voicemail-messages-new", {"new": 101}, "You have one hundred one new messages",
         "У вас сто одно новое сообщение"),
        ("voicemail-messages-both", {"new": 2, "old": 1}, "You have two new messages and one old message",
         "У вас два новых сообщения и одно старое сообщение"),
        ("voicemail-received", {"at": (NOW.replace(hour=21, minute=21), NOW)}, "Received today at nine twenty one p m",
         "Получено сегодня в двадцать один час двадцать одну минуту"),
        ("conference-others", {"others": 1}, "Besides you, one participant is in the conference.",
         "Кроме вас, в конференции один участник"),
        ("conference-others", {"others": 4}, "Besides you, four participants are in the conference.",
         "Кроме вас, в конференции четыре участника"),
        ("parking-parked", {"slot": "891"}, "The call is parked at eight nine one",
         "Звонок ждёт на номере восемь девять один"),
        ("call-time-limit", {"left": 61}, "Your call will end in one minute one second",
         "Ваш разговор закончится через одну минуту одну секунду"),
        ("wakeup-set", {"at": time(7, 1)}, "We will call you at seven oh one a m",
         "Мы позвоним вам в семь часов одну минуту"),
    ],
)  # fmt: skip
def test_what_is_said(prompt: str, values: dict[str, Value], en: str, ru: str) -> None:
    assert said("en", prompt, **values) == en
    assert said("ru", prompt, **values) == ru


def test_every_prompt_is_there_in_every_language_with_the_same_values() -> None:
    slots = [
        {key: {part.name for part in phrase.parts if isinstance(part, Slot)} for key, phrase in each.phrases.items()}
        for each in map(catalogue, LANGUAGES)
    ]
    assert slots[0] == slots[1]
    assert len(slots[0]) > 140


def test_no_two_texts_share_a_key() -> None:
    for each in map(catalogue, LANGUAGES):
        words = [key for phrase in each.phrases.values() for key in phrase.words]
        assert len(words) == len(set(words))
        assert not {*words} & {*each.language.WORDS}


def test_a_line_may_name_recordings_for_one_language_alone() -> None:
    document = '[a]\nb = { en = "x", ru = "ы", recorded = "both", recorded_en = "own" }\n'
    assert phrases_of(document, "en")["a-b"].words["a-b"].recorded == "own"
    assert phrases_of(document, "ru")["a-b"].words["a-b"].recorded == "both"
