"""The test letter that goes out by itself when the settings of mail are others than before (NOT-1)."""

import asyncio
from hashlib import blake2s

import structlog

from conf.schema import MailSettings
from pbx.control.messages import ControlError
from pbx.mail.mailer import Mailer
from pbx.states import States

AREA, KEY = "mail", "tested"

log = structlog.get_logger("mail")


class MailTrial:
    """At the start of the server, once for each set of settings that works; what does not is told and tried again at
    the next start. `key` hides what the settings are: their mark is kept, and they have a password."""

    def __init__(self, settings: MailSettings, mailer: Mailer, states: States, key: bytes) -> None:
        self._mailer, self._states, self._is_wanted = mailer, states, settings.enabled
        self._mark = blake2s(settings.model_dump_json().encode(), key=key).hexdigest()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Nobody waits for it."""
        if self._is_wanted and self._states.of(AREA).get(KEY) != self._mark:
            self._task = asyncio.ensure_future(self._try())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _try(self) -> None:
        administrator = self._mailer.administrator
        if administrator is None:
            log.warning("the settings of mail are not tested: give administrator_address or common_address")
            return
        try:
            said = await self._mailer.test(administrator.address)
        except ControlError as error:
            log.error("the settings of mail do not work", why=str(error))
            return
        self._states.put(AREA, KEY, self._mark)
        log.info("the settings of mail work", said=said)
