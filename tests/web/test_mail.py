"""The button that tries the mail."""

from pathlib import Path

from tests.support.api import api, errors_of
from tests.web.test_auth import OFFICE


async def test_administrators_try_the_mail_and_are_told_in_a_sentence_what_is_missing(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        for nonsense in ("", "nobody", "a@\n"):
            errors_of(await found.client.post("/mail:test", json={"to": nonsense}), 422)
        answer = await found.client.post("/mail:test", json={"to": "belkina@example.com"})
        assert not answer.is_success
        assert "give [mail] host and from_address" in answer.text
        await found.account_of("anna")
        errors_of(await found.client.post("/mail:test", json={"to": "belkina@example.com"}), 403)
