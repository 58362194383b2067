"""What a `zvon.toml` says otherwise than the settings that a server runs with (REG-21). Secrets are never shown."""

from collections.abc import Iterator

from conf.model import Section
from conf.schema import Settings
from frozen import dataclass


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting by its key, `sip.udp`: as the server runs, and as the file has it; both "" for a secret."""

    key: str
    running: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.key} {self.running} -> {self.wanted}" if self.running or self.wanted else f"{self.key} changed"


def settings_changes(running: Settings, wanted: Settings) -> tuple[SettingChange, ...]:
    """In the order of the file."""
    return tuple(_changes(running, wanted, ""))


def _changes(running: Section, wanted: Section, prefix: str) -> Iterator[SettingChange]:
    for name, of in type(running).model_fields.items():
        before, after, key = getattr(running, name), getattr(wanted, name), f"{prefix}{name}"
        if isinstance(before, Section):
            yield from _changes(before, after, f"{key}.")
        elif before != after:
            yield SettingChange(key, _text(before), _text(after)) if of.repr else SettingChange(key, "", "")


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(map(_text, value))}]"
        case dict():
            return "{" + ", ".join(f"{name} = {_text(each)}" for name, each in value.items()) + "}"
        case Section():
            shown = {name: getattr(value, name) for name, of in type(value).model_fields.items() if of.repr}
            return _text(shown)
        case _:
            return str(value)
