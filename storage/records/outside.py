"""Who carries calls to and from the outside."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Provider:
    """A server of an operator, or a gateway (PRV-*). `port` 0: found by DNS, else the default; `qualify` in seconds.
    The password stays out of `repr`, so it cannot reach a log by accident."""

    id: str
    host: str
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
