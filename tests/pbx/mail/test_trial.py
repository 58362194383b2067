"""The test letter of settings that are new."""

import asyncio
from pathlib import Path

from structlog.testing import capture_logs

from conf.schema import MailSettings
from pbx.mail.trial import MailTrial
from pbx.states import States
from storage.memory import MemoryStorage
from tests.pbx.mail.test_mailer import ON, mailer
from tests.pbx.mail.test_outbox import ScriptedServer


async def test_settings_are_tested_at_the_start_until_they_work_and_when_they_change(tmp_path: Path) -> None:
    server, storage = ScriptedServer(), MemoryStorage()

    async def started(settings: MailSettings = ON) -> int:
        before = len(server.took)
        states = States(storage.states)
        await states.restore()
        trial = MailTrial(settings, mailer(tmp_path, settings, server)[0], states, b"key")
        trial.start()
        await asyncio.sleep(1)
        await trial.close()
        return len(server.took) - before

    server.down = "the mail server refuses connections"
    with capture_logs() as logs:
        assert await started() == 0
    assert [each["why"] for each in logs if "why" in each] == ["the mail server refuses connections"]
    server.down = ""
    assert [await started(), await started()] == [1, 0]
    changed = ON.model_copy(update={"password": "Another-One_1"})
    assert [await started(changed), await started(changed), await started(ON)] == [1, 0, 1]
    assert await started(ON.model_copy(update={"enabled": False})) == 0
    assert await started(ON.model_copy(update={"common_address": ""})) == 0
    assert "Another-One_1" not in str(await storage.states.load())
