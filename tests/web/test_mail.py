"""The button that tries the mail."""

from pathlib import Path

from tests.support.api import api, data_of, errors_of
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


async def test_credentials_go_to_people_with_an_address_and_something_to_sign_in_with(tmp_path: Path) -> None:
    async with api(tmp_path, OFFICE) as found:
        post = found.client.post
        errors_of(await post("/employees/nobody:mailCredentials", json={}), 404)
        assert "no e-mail address" in errors_of(await post("/employees/anna:mailCredentials", json={}), 409)["email"]
        for person in ("anna", "olga"):
            data_of(await found.client.patch(f"/employees/{person}", json={"email": f"{person}@example.com"}))
        assert "no phone" in errors_of(await post("/employees/olga:mailCredentials", json={}), 409)[""]
        refusal = await post("/employees/anna:mailCredentials", json={"portal": True})
        assert "no account" in errors_of(refusal, 409)["portal"]
        assert "give [mail] host" in errors_of(await post("/employees/anna:mailCredentials", json={}), 409)[""]
        password = await found.account_of("anna")
        errors_of(await post("/employees/anna:mailCredentials", json={}), 403)
        await found.become()
        assert not (await post("/employees/anna:mailCredentials", json={"portal": True})).is_success
        await found.become("anna", password)  # of a letter that did not go out nothing counts
