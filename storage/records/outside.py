"""Who carries calls to and from the outside."""

from dataclasses import field

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """A server of an operator, or a gateway (PRV-*). `port` 0: found by DNS, else the default; `qualify` in seconds.
    `addresses`: others from which its calls come (PRV-5). `from_user`, `from_domain` "": the login, the host;
    `show_caller`: From names the caller instead (PRV-9); `identity`: the header field that names the caller as well
    (OUT-11). `max_calls` 0: any number (OUT-15). `only`: no other provider is tried after this one (OUT-9). `network`:
    from where a device may use the account (PRV-11). `cid_source`, `did_source`: the header field that names who calls,
    which number was called; of it what stands between two texts, or what a regular expression finds (INB-22, INB-23);
    `log_sources`: both are logged. `script`: the application that sees its calls before they are greeted (INB-21). The
    password stays out of `repr`, so it cannot reach a log by accident."""

    id: str
    host: str = ""
    name: str = ""
    port: int = 0
    transport: str = "any"
    outbound_proxy: str = ""
    kind: str = "register"
    login: str = ""
    password: str = field(default="", repr=False)
    qualify: int = 60
    note: str = ""
    disabled: bool = False
    addresses: tuple[str, ...] = ()
    dtmf: str = "auto"
    srtp: str = "auto"
    from_user: str = ""
    from_domain: str = ""
    show_caller: bool = False
    identity: str = "none"
    max_calls: int = 0
    only: bool = False
    network: str = ""
    cid_source: str = "default"
    cid_between: tuple[str, ...] = ()
    cid_regex: str = ""
    did_source: str = "default"
    did_between: tuple[str, ...] = ()
    did_regex: str = ""
    log_sources: bool = False
    script: str = ""


@dataclass(frozen=True, slots=True)
class OutboundRoute:
    """Numbers outside and the way to them (OUT-1): those that begin as the template `prefix` and have `rest` digits
    more (to `rest_to`, where that is more; -1: anything), sent as `prepend` and what is left without the first `strip`
    characters. `provider` is asked first, then the other `providers`; with `order` "least_used" the one with the
    fewest calls. `keep_plus`: a + before the number is part of it. `only`: no route after this one is tried (OUT-9).
    """

    name: str
    provider: str
    providers: tuple[str, ...] = ()
    order: str = "listed"
    prefix: str = ""
    rest: int = -1
    rest_to: int = 0
    strip: int = 0
    prepend: str = ""
    keep_plus: bool = False
    caller_id: str = ""
    only: bool = False
    note: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """What holds for all calls outside. `emergency`: numbers (X is any digit) that everybody may call over any provider
    (OUT-10), where the office has no such number itself. Limits of a day, 0 is none: `calls_a_day` and `minutes_a_day`
    of one employee, `calls_to_one` number by all; `money_a_day` by tariffs, in hundredths of the currency. Numbers that
    begin as one of `locked` are not called within `lock_hours` ("22:00-07:00"). A call is cut after `minutes_a_call`,
    for `money_a_call`, and when a limit of the day is reached; who talks hears of it `warn_before` seconds before.
    `new_country`: what becomes of calls to countries that are not in `countries` (calling codes) and were not called
    before; `off_hours_action` of more than `off_hours_calls` a day while `off_hours_calendar` is closed."""

    emergency: tuple[str, ...] = ("101", "102", "103", "104", "112", "911")
    calls_a_day: int = 0
    minutes_a_day: int = 0
    calls_to_one: int = 0
    locked: tuple[str, ...] = ()
    lock_hours: str = ""
    money_a_day: int = 0
    minutes_a_call: int = 0
    money_a_call: int = 0
    warn_before: int = 30
    new_country: str = "allow"
    countries: tuple[str, ...] = ()
    off_hours_calendar: str = ""
    off_hours_calls: int = 0
    off_hours_action: str = "alert"
