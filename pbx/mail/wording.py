"""What letters say, in the language of who gets them: texts with variables in braces, dates and lengths as people write
them."""

import re
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from frozen import dataclass

DEFAULT = "en"
_VARIABLE = re.compile(r"\{([a-z_]+)\}")

_RU_MONTHS = (
    *("января", "февраля", "марта", "апреля", "мая", "июня", "июля"),
    *("августа", "сентября", "октября", "ноября", "декабря"),
)
_EN_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of one kind of letter. Where one is empty, that of the program stands."""

    subject: str = ""
    body: str = ""
    footer: str = ""

    def filled(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Subject and whole text with the variables in them; a name that is no variable stays as it is."""
        texts = (self.body, self.footer)
        return _filled(self.subject, values), "\n\n".join(
            _filled(text, values).strip() for text in texts if text
        ) + "\n"


_OF_A_CALL = frozenset(("office", "date", "caller", "caller_name", "caller_number", "callee", "duration"))
VARIABLES = {
    "voicemail": _OF_A_CALL,
    "missed_calls": _OF_A_CALL | {"cause"},
    "lost_calls": frozenset(("office", "date", "calls", "minutes", "number")),
    "line": frozenset(("office", "date", "line", "why")),
    "disk": frozenset(("office", "date", "free")),
    "recording": frozenset(("office", "date", "call", "why")),
    "backup": frozenset(("office", "date", "why")),
    "fax": frozenset(("office", "date", "caller", "callee", "pages", "station")),
    **dict.fromkeys(
        ("outside", "outside_cut", "outside_noticed"), frozenset(("office", "date", "who", "number", "why"))
    ),
    "sign_in": frozenset(("office", "date", "who", "address", "times")),
    "password": frozenset(("office", "date", "account", "who", "address", "times")),
    "system_password": frozenset(("office", "date")),
    "attack": frozenset(("office", "date", "addresses", "times")),
    "version": frozenset(("office", "date", "version", "notes")),
    "report": frozenset(("office", "date", "report", "from", "to", "rows")),
    "credentials": frozenset(("office", "date", "name", "server", "phones", "portal")),
    "test": frozenset(("office", "date")),
}
_TITLES = {
    "agents": ("Agents", "Операторы"),
    "events": ("Events", "События"),
    "funnel": ("Sales funnel", "Воронка продаж"),
    "history": ("Call history", "История звонков"),
    "line-health": ("Health of lines", "Состояние линий"),
    "lines": ("Load of lines", "Загрузка линий"),
    "missed": ("Missed calls", "Пропущенные вызовы"),
    "outgoing": ("Outgoing calls of employees", "Исходящие звонки сотрудников"),
    "problems": ("Terminals that make trouble", "Проблемные терминалы"),
    "providers": ("Providers", "Провайдеры"),
    "quality": ("Quality of service", "Качество обслуживания"),
    "queues": ("Queues", "Очереди"),
    "spend": ("Spending", "Расходы"),
    "terminal-load": ("Load of terminals", "Загрузка терминалов"),
}
WORDINGS: Mapping[str, Mapping[str, Wording]] = {
    "en": {
        "voicemail": Wording(
            "Voice message from {caller}",
            "{caller} left a message for {callee}.\n\nDate: {date}\nLength: {duration}\n\nThe message is attached.",
            "-- \n{office}",
        ),
        "fax": Wording(
            "Fax from {caller}",
            "A fax has come from {caller} for {callee}.\n\nDate: {date}\nPages: {pages}\nSender: {station}\n\n"
            "The pages are attached.",
            "-- \n{office}",
        ),
        "missed_calls": Wording(
            "Missed call from {caller}",
            "{caller} called {callee}: {cause}.\n\nDate: {date}\nWaited: {duration}",
            "-- \n{office}",
        ),
        "lost_calls": Wording(
            "Calls are being lost: {calls} in {minutes} minutes",
            "{date}: calls from outside that nobody answered within {minutes} minutes: {calls} ({number}).\n\n"
            "`zvon missed list` shows who called.",
            "-- \n{office}",
        ),
        "line": Wording(
            "The line {line} does not work",
            "Since {date} the line {line} does not work: {why}.\n\n`zvon lines` shows how it is now.",
            "-- \n{office}",
        ),
        "outside": Wording(
            "Calls outside of {who} are stopped",
            "On {date} a call of {who} to {number} was stopped: {why}.\n\nYou hear of it once an hour at most.",
            "-- \n{office}",
        ),
        "outside_cut": Wording(
            "A call outside of {who} was cut",
            "On {date} a conversation of {who} with {number} was ended: {why}.\n\nYou hear of it once an hour at most.",
            "-- \n{office}",
        ),
        "outside_noticed": Wording(
            "Look at the calls outside of {who}",
            "On {date} {who} called {number}: {why}. The call was let through.\n\nYou hear of it once an hour at most.",
            "-- \n{office}",
        ),
        "disk": Wording(
            "The disk of the phone server is nearly full",
            "{free} MB were free on {date}, and there are no older recordings left to delete.",
            "-- \n{office}",
        ),
        "backup": Wording(
            "There is no backup of the phone server",
            "On {date} the backup failed: {why}.\n\nThe next one is made at its time.",
            "-- \n{office}",
        ),
        "recording": Wording(
            "Conversations cannot be recorded",
            "On {date} the recording of call {call} ended before its time: {why}.\n\n"
            "The call went on. You hear of it once, until a recording ends as it should.",
            "-- \n{office}",
        ),
        "sign_in": Wording(
            "{who} has signed in",
            "On {date} {who} signed in from {address}.\n\nSign-ins: {times}. What repeats within five minutes is told "
            "in one letter.",
            "-- \n{office}",
        ),
        "password": Wording(
            "The password of {account} was changed",
            "On {date} {who} changed the password of {account} from {address}.\n\nChanges: {times}.",
            "-- \n{office}",
        ),
        "system_password": Wording(
            "Passwords of the operating system were changed",
            "Before {date} a password or an account of the operating system was changed, with which people sign in "
            "over SSH.",
            "-- \n{office}",
        ),
        "attack": Wording(
            "Attacks: addresses banned: {times}",
            "Up to {date} these addresses were banned, for what they did, until then:\n\n{addresses}\n\n"
            "You hear of it once an hour at most. `zvon bans list` shows all of them.",
            "-- \n{office}",
        ),
        "version": Wording(
            "Zvon {version} is there",
            "Version {version} of Zvon is to be had, seen on {date}.\n\n{notes}",
            "-- \n{office}",
        ),
        "report": Wording(
            "{report}: {from} to {to}",
            "The report is attached.\n\nFrom: {from}\nTo: {to}\nRows: {rows}\nMade: {date}",
            "-- \n{office}",
        ),
        "credentials": Wording(
            "What your phone signs in with",
            "{name},\n\ntype this into your phone, and the server {server}:\n\n{phones}\n\n{portal}",
            "-- \n{office}, {date}",
        ),
        "test": Wording(
            "Test of the mail of the phone server",
            "The phone server can send mail: this letter was asked for on {date}.",
            "-- \n{office}",
        ),
    },
    "ru": {
        "voicemail": Wording(
            "Голосовое сообщение от {caller}",
            "{caller} оставил(а) сообщение для {callee}.\n\nДата: {date}\nДлительность: {duration}\n\n"
            "Сообщение во вложении.",
            "-- \n{office}",
        ),
        "fax": Wording(
            "Факс от {caller}",
            "Факс от {caller} на номер {callee}.\n\nДата: {date}\nСтраниц: {pages}\nОтправитель: {station}\n\n"
            "Страницы во вложении.",
            "-- \n{office}",
        ),
        "missed_calls": Wording(
            "Пропущенный вызов от {caller}",
            "{caller} звонил(а) на {callee}: {cause}.\n\nДата: {date}\nОжидание: {duration}",
            "-- \n{office}",
        ),
        "lost_calls": Wording(
            "Теряются вызовы: {calls} за {minutes} мин.",
            "{date}: внешних вызовов без ответа за {minutes} мин.: {calls} ({number}).\n\n"
            "Кто звонил, показывает команда `zvon missed list`.",
            "-- \n{office}",
        ),
        "line": Wording(
            "Линия {line} не работает",
            "{date}: линия {line} не работает: {why}.\n\nТекущее состояние показывает команда `zvon lines`.",
            "-- \n{office}",
        ),
        "outside": Wording(
            "Внешние звонки с {who} остановлены",
            "{date}: звонок с {who} на {number} остановлен: {why}.\n\nО следующих в течение часа не сообщается.",
            "-- \n{office}",
        ),
        "outside_cut": Wording(
            "Внешний разговор {who} прерван",
            "{date}: разговор {who} с {number} прерван: {why}.\n\nО следующих в течение часа не сообщается.",
            "-- \n{office}",
        ),
        "outside_noticed": Wording(
            "Обратите внимание на внешние звонки с {who}",
            "{date}: звонок с {who} на {number}: {why}. Звонок пропущен.\n\nО следующих в течение часа не сообщается.",
            "-- \n{office}",
        ),
        "disk": Wording(
            "На диске станции почти нет места",
            "{date}: свободно {free} МБ, старых записей для удаления не осталось.",
            "-- \n{office}",
        ),
        "backup": Wording(
            "Резервная копия станции не создана",
            "{date}: резервное копирование не удалось: {why}.\n\nСледующее — в своё время.",
            "-- \n{office}",
        ),
        "recording": Wording(
            "Разговоры не записываются",
            "{date}: запись звонка {call} прервалась: {why}.\n\n"
            "Разговор продолжался. О следующих сбоях не сообщается, пока запись не заработает.",
            "-- \n{office}",
        ),
        "sign_in": Wording(
            "Вход: {who}",
            "{date}: вход пользователя {who} с адреса {address}.\n\nВходов: {times}. О повторах в течение пяти минут "
            "сообщается одним письмом.",
            "-- \n{office}",
        ),
        "password": Wording(
            "Изменён пароль {account}",
            "{date}: пользователь {who} изменил(а) пароль {account} с адреса {address}.\n\nИзменений: {times}.",
            "-- \n{office}",
        ),
        "system_password": Wording(
            "Изменены пароли операционной системы",
            "До {date} изменён пароль или учётная запись операционной системы, с которыми входят по SSH.",
            "-- \n{office}",
        ),
        "attack": Wording(
            "Атаки: заблокировано адресов: {times}",
            "К {date} заблокированы адреса (за что и до какого времени):\n\n{addresses}\n\n"
            "Сообщается не чаще раза в час. Все адреса показывает команда `zvon bans list`.",
            "-- \n{office}",
        ),
        "version": Wording(
            "Вышла версия Zvon {version}",
            "Доступна версия {version}, замечена {date}.\n\n{notes}",
            "-- \n{office}",
        ),
        "report": Wording(
            "{report}: с {from} по {to}",
            "Отчёт во вложении.\n\nС: {from}\nПо: {to}\nСтрок: {rows}\nСоставлен: {date}",
            "-- \n{office}",
        ),
        "credentials": Wording(
            "Данные для входа вашего телефона",
            "{name},\n\nвведите в телефон эти данные, сервер {server}:\n\n{phones}\n\n{portal}",
            "-- \n{office}, {date}",
        ),
        "test": Wording(
            "Проверка почты телефонной станции",
            "Станция может отправлять почту: это письмо запрошено {date}.",
            "-- \n{office}",
        ),
    },
}


def wording(kind: str, language: str, own: Wording | None = None) -> Wording:
    """The texts of the program, with those of the office's `own` instead where it has any."""
    given, own = WORDINGS.get(language, WORDINGS[DEFAULT])[kind], own or Wording()
    return Wording(own.subject or given.subject, own.body or given.body, own.footer or given.footer)


# Why nobody talked, by the cause of a history row; of all others simply nobody answered.
CAUSES = {
    "en": {"busy": "busy", "absent": "not reachable", "cancelled": "the caller hung up", "": "nobody answered"},
    "ru": {"busy": "занято", "absent": "недоступен", "cancelled": "звонивший положил трубку", "": "нет ответа"},
}
_CAUSE_OF = {
    **dict.fromkeys(("busy", "declined"), "busy"),
    **dict.fromkeys(("unavailable", "timeout", "no_agent", "not_found"), "absent"),
    "cancelled": "cancelled",
}


def cause_text(cause: str, language: str) -> str:
    """What the cause of a history row means to people."""
    return CAUSES.get(language, CAUSES[DEFAULT])[_CAUSE_OF.get(cause, "")]


def date_text(at: float, language: str, timezone: str) -> str:
    """`22 November 2026, 09:30`, `22 ноября 2026 г., 09:30`."""
    moment = datetime.fromtimestamp(at, ZoneInfo(timezone))
    if language == "ru":
        return f"{moment.day} {_RU_MONTHS[moment.month - 1]} {moment:%Y} г., {moment:%H:%M}"
    return f"{moment.day} {_EN_MONTHS[moment.month - 1]} {moment:%Y}, {moment:%H:%M}"


def length_text(seconds: float) -> str:
    """Minutes and seconds, `1:05`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def caller_text(name: str, number: str) -> str:
    """`"Name" <number>`, or the one that is there."""
    return f'"{name}" <{number}>' if name and number else name or number or "?"


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)


def report_title(name: str, language: str) -> str:
    """What people call a report."""
    english, russian = _TITLES[name]
    return russian if language == "ru" else english
