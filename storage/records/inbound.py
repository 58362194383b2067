"""What becomes of calls from outside: numbers at operators, rules, who is let in (INB-*). Times are seconds."""

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class ExternalNumber:
    """A number at an operator's account `provider` (INB-1). `timeout` 0: until nobody of the target answers.
    `last_agent`: whoever the caller talked to last within `last_agent_days` is rung first, for `last_agent_ring`
    (INB-7), with `last_agent_inbound` only by calls from outside. Outside the hours of `calendar` the call goes to
    `closed_target`, or hears `closed_sound` and ends. `show_name`: phones show the name of the line (INB-28).
    `record_in`, `record_out` None: as the policy of the office says. `employee_dial`: whoever calls from the mobile of
    an employee may dial on (INB-31). `fax`: "off", "only" (nobody is rung), "detect" (a fax is noticed before anybody
    is); its pages go to `fax_email` (INB-32)."""

    number: str
    provider: str
    target: str = ""
    timeout: int = 0
    name: str = ""
    note: str = ""
    greeting: str = ""
    direct_dial: bool = False
    dial_timeout: int = 7
    dial_attempts: int = 1
    calendar: str = ""
    closed_target: str = "voicemail"
    closed_sound: str = ""
    last_agent: bool = False
    last_agent_days: int = 30
    last_agent_ring: int = 30
    last_agent_inbound: bool = False
    record_in: bool | None = None
    record_out: bool | None = None
    show_name: bool = False
    disabled: bool = False
    employee_dial: bool = False
    fax: str = "off"
    fax_email: str = ""


@dataclass(frozen=True, slots=True)
class InboundRule:
    """A step of the cascade (INB-9): for calls of an account ("": of any) to numbers like `number` ("": any; INB-10).
    `sound` is heard before, `timeout` 0 is no limit."""

    id: str
    provider: str = ""
    number: str = ""
    target: str = ""
    timeout: int = 120
    sound: str = ""
    priority: int = 0
    name: str = ""
    note: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class NumberRule:
    """How numbers of callers are written (INB-26): one of `length` digits (0: any) that begins with `prefix` gets
    `replace` in its place. `provider` "": of all."""

    id: str
    provider: str = ""
    length: int = 0
    prefix: str = ""
    replace: str = ""


@dataclass(frozen=True, slots=True)
class CallerList:
    """Callers who are turned away (`kind` "black"), or the only ones who are let in ("white") by an account, "" for all
    (INB-27). `callers` are numbers or patterns (INB-10)."""

    id: str
    kind: str = "black"
    provider: str = ""
    callers: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class InboundPolicy:
    """What holds for all calls from outside: where they go that nobody answered (INB-16), `default` a target or a
    service, with `sound` that is heard before; whether only rules of the very number count (AMB-12); whose calls ask no
    calendar (CAL-14); `script`: the application that sees every call before the hours are asked (INB-21); `guests`:
    whether people without an account may call by address (REG-17)."""

    default: str = "busy"
    sound: str = ""
    only_own_number: bool = False
    always_open_callers: tuple[str, ...] = ()
    always_open_providers: tuple[str, ...] = ()
    script: str = ""
    guests: bool = False
