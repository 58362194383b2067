"""Backups on a server elsewhere, by the clock: made, copied there, the oldest there removed (CFG-7)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from conf.schema import AwaySettings
from pbx.away import Place, PlaceFailed, place_of
from pbx.control.backups import BackupView
from pbx.control.messages import ControlError

SENT = "-away"  # in the names of those that were made for it
AGAIN_S = (300.0, 1800.0)  # a night's trouble of a network is over by then

log = structlog.get_logger("backup")


class BackupsAway:
    """`make` makes a backup of some parts, `remove` deletes one here."""

    def __init__(
        self,
        settings: AwaySettings,
        data: Path,
        make: Callable[[Sequence[str], str], Awaitable[BackupView]],
        remove: Callable[[str], bool],
    ) -> None:
        self._settings, self._data, self._make, self._remove = settings, data, make, remove

    async def send(self, view: BackupView) -> str:
        """Copy one there; where it is now. Raises `ControlError`."""
        place = self._place()
        try:
            await place.put(Path(view.path))
        except PlaceFailed as error:
            raise ControlError(f"the backup {view.name} is not copied: {error}") from None
        log.info("a backup was copied", file=view.name, to=place.address)
        return f"{place.address.rstrip('/')}/{view.name}"

    async def make_and_send(self) -> None:
        """One more there, tried again after a while; raises `ControlError` when that is in vain too."""
        made = await self._make(self._settings.parts, SENT)
        try:
            for pause_s in (*AGAIN_S, None):
                try:
                    await self.send(made)
                    break
                except ControlError as error:
                    if pause_s is None:
                        raise
                    log.warning("tried again later", why=str(error), seconds=pause_s)
                    await asyncio.sleep(pause_s)
            await self._remove_old()
        finally:
            self._remove(made.name)

    async def _remove_old(self) -> None:
        """Those of this office that the clock made, but for the newest ones."""
        place = self._place()
        try:
            there = sorted(name for name in await place.names() if name.endswith(f"{SENT}.tar"))
            for name in there[: -self._settings.keep]:
                await place.remove(name)
        except PlaceFailed as error:
            raise ControlError(f"old backups are not removed: {error}") from None

    def _place(self) -> Place:
        if not self._settings.protocol:
            raise ControlError("there is no place for backups elsewhere: name one in [backup.away] of zvon.toml")
        return place_of(self._settings, self._data)
