"""A backup put back while the server runs: how far it is, and the start that makes it count (CFG-6)."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from pbx.backup import Restorer
from pbx.control.backups import RestoreView
from pbx.control.messages import ControlError
from storage.ports import Storage, StorageUnavailable

SEEN_S = 2.0  # whoever looks how far it is sees that it is done

log = structlog.get_logger("backup")


class Restoring:
    """One at a time; `restart` is called when everything is in its place."""

    def __init__(self, storage: Storage, data: Path, restart: Callable[[], None]) -> None:
        self._storage, self._data, self._restart = storage, data, restart
        self._name, self._told, self._error = "", list[str](), ""
        self._restorer: Restorer | None = None
        self._task: asyncio.Task[None] | None = None

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def begin(self, name: str, file: Path, parts: Sequence[str]) -> RestoreView:
        """Raises `ControlError` where it cannot begin; what goes wrong later is in the view."""
        if self._task is not None and not self._task.done():
            raise ControlError(f"{self._name} is being restored: wait until that is done")
        restorer = Restorer(self._storage, self._data, file, parts, self._tell)
        self._name, self._told, self._error, self._restorer = name, [], "", restorer
        self._task = asyncio.ensure_future(self._run(restorer))
        return self.view()

    def view(self) -> RestoreView:
        if self._task is None or self._restorer is None:
            return RestoreView()
        state = "running" if not self._task.done() else "failed" if self._error else "done"
        percent = 100 if state == "done" else self._restorer.percent
        return RestoreView(self._name, state, percent, tuple(self._told), self._error)  # type: ignore[arg-type]

    def _tell(self, line: str) -> None:
        self._told.append(line)

    async def _run(self, restorer: Restorer) -> None:
        log.warning("a backup is put back", name=self._name)
        try:
            await restorer.restore()
        except (ControlError, StorageUnavailable) as error:
            self._error = str(error)
            log.error("a backup is not put back whole", name=self._name, why=self._error)
            return
        log.warning("a backup is put back, the server starts again", name=self._name)
        asyncio.get_running_loop().call_later(SEEN_S, self._restart)
