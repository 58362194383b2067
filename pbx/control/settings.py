"""The settings of the server, and what of them waits for a restart."""

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting that the file has otherwise than the server runs with; both "" for a secret."""

    key: str
    running: str
    wanted: str


@dataclass(frozen=True, slots=True)
class SettingsView:
    """What of `zvon.toml` waits for a restart. `file` "": the server has none. `calls` go on now: a restart waits
    `drain_s` seconds for them and then ends them."""

    file: str
    waiting: tuple[SettingView, ...]
    calls: int
    drain_s: int
    advice: str


@dataclass(frozen=True, slots=True)
class GetSettings:
    """→ `SettingsView`."""
