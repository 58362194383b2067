"""What of `zvon.toml` waits for a restart, and what that would cost (REG-21): the office changes while calls go on, but
listeners, addresses, networks and everything else of that file are read at the start."""

from pathlib import Path

from conf.load import ConfInvalid, load_settings
from conf.schema import Settings
from conf.settings_diff import settings_changes
from pbx.control.messages import ControlError
from pbx.control.settings import SettingsView, SettingView


def settings_view(running: Settings, file: Path | None, calls: int) -> SettingsView:
    """Raises `ControlError` with every mistake of the file: the server would not start with it."""
    try:
        wanted = load_settings(file) if file is not None else running
    except ConfInvalid as error:
        raise ControlError(f"the server would not start again:\n{error}") from None
    waiting = tuple(SettingView(each.key, each.running, each.wanted) for each in settings_changes(running, wanted))
    drain_s = running.drain_timeout
    return SettingsView(str(file or ""), waiting, calls, drain_s, _advice(len(waiting), calls, drain_s))


def _advice(waiting: int, calls: int, drain_s: int) -> str:
    if not waiting:
        return "nothing waits for a restart"
    settings = "1 setting waits" if waiting == 1 else f"{waiting} settings wait"
    if not calls:
        return f"{settings} for a restart, which would end no call"
    them = "the call in progress, and then ends it" if calls == 1 else f"{calls} calls, and then ends those that go on"
    return f"{settings} for a restart, which waits {drain_s} s for {them}"
