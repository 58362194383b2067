"""Calls whose numbers are signed: what a provider gets of ours, what becomes of what it brings."""

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pbx.stir.passport import SignedPassport
from pbx.stir.signatures import Signatures
from pbx.stir.verifier import Validation, Verifier
from sipcore.body import Part, joined, parts_of
from storage.records import EmployeeGroup, ExternalNumber, Office
from tests.pbx.test_arrival import BY_ADDRESS, reached
from tests.pbx.test_carried import LOCATED, PLACE
from tests.support.builders import sdp
from tests.support.company import ANY, account, company, user_of
from tests.support.signers import Authority
from tests.support.ua import PhoneCall

OURS, CLIENT, CALLED = "74951234567", "79161234567", "74950000001"


def passport_of(ring: PhoneCall) -> SignedPassport:
    assert ring.invite is not None
    (text,) = ring.invite.headers.raw("identity")
    return SignedPassport.parse(text)


@pytest.mark.parametrize(
    ("provider", "orig", "attest"),
    [
        (account("first", show_caller=True), OURS, "A"),
        (account("first", login=OURS), OURS, "A"),
        (account("first", show_caller=True, login="x"), "201", "B"),
    ],
)
async def test_a_call_outside_is_signed_for_the_number_that_is_shown(provider: object, orig: str, attest: str) -> None:
    everybody = EmployeeGroup("all", is_default=True, routes=("*",), caller_id="" if orig == "201" else OURS)
    office = Office("Test", employee_groups=(everybody,), external_numbers=(ExternalNumber(OURS, "first"),))
    authority = Authority()
    async with company(ANY, providers=(provider, account("second")), office=office) as (opened, phone, telcos):  # type: ignore[arg-type]
        opened.services.signatures = Signatures(authority.signer())
        call = phone.dial(CLIENT)
        ring = await telcos["first"].rung()
        found = passport_of(ring).passport
        assert (found.orig, found.dest, found.attest) == (orig, (user_of(ring),), attest)
        identities = [str(passport_of(ring))]
        wall = opened.clock.wall()
        verdict = await Verifier([authority.root], authority.fetch).judge(identities, [orig], [CLIENT], wall)
        assert verdict.validation is Validation.PASSED
        ring.reject(486)
        assert await call.until_over() == 486


async def test_without_a_key_nothing_is_signed() -> None:
    async with company(ANY) as (_, phone, telcos):
        call = phone.dial(CLIENT)
        ring = await telcos["first"].rung()
        assert ring.invite is not None
        assert "identity" not in ring.invite.headers
        ring.reject(486)
        await call.until_over()


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize(
    ("signed_for", "verstat", "attest"),
    [(CLIENT, "TN-Validation-Passed", "A"), ("79990000000", "TN-Validation-Failed", ""), ("", "No-TN-Validation", "")],
)
async def test_a_call_from_outside_is_marked_or_refused(
    refuses: bool, signed_for: str, verstat: str, attest: str
) -> None:
    authority = Authority()
    async with reached(BY_ADDRESS) as (office, telco, _):
        signed = authority.signer().identity(signed_for, CALLED, "A", office.clock.wall())
        office.services.signatures = Signatures(None, Verifier([authority.root], authority.fetch), refuses=refuses)
        call = telco.call(CALLED, f"+{CLIENT}", extra=(("Identity", signed),) if signed else ())
        if refuses and verstat == "TN-Validation-Failed":
            assert await call.until_over() == 438
            assert office.engine.endpoints == {}
        else:
            await call.until_answered()
            (found,) = office.pbx.calls.values()
            assert (found.variables["verstat"], found.variables["attest"]) == (verstat, attest)
            call.hangup()


async def test_a_client_that_gives_up_while_a_certificate_is_fetched_leaves_nothing() -> None:
    authority = Authority()

    async def silent(url: str) -> bytes:
        await asyncio.sleep(60)
        return b""

    async with reached(BY_ADDRESS) as (office, telco, _):
        signed = authority.signer().identity(CLIENT, CALLED, "A", office.clock.wall())
        office.services.signatures = Signatures(None, Verifier([authority.root], silent))
        call = telco.call(CALLED, CLIENT, extra=(("Identity", signed),))
        await asyncio.sleep(1)
        call.hangup()
        assert await call.until_over() == 487


async def test_an_emergency_service_outside_is_told_where_the_caller_is_and_nobody_else() -> None:
    async with company(ANY) as (_, phone, telcos):
        for number, is_told in (("112", True), (CLIENT, False)):
            body = joined([Part("application/sdp", sdp(phone.host, phone.rtp_port)), PLACE], "b1")
            kind = ("Content-Type", "multipart/mixed;boundary=b1")
            call = phone.dial(number, body, extra=(*LOCATED, kind))
            ring = await telcos["first"].rung()
            assert ring.invite is not None
            assert ("geolocation" in ring.invite.headers) is is_told
            assert (PLACE in parts_of(ring.invite)) is is_told
            ring.reject(486)
            await call.until_over()


def test_the_settings_say_what_is_done(tmp_path: Path) -> None:
    from conf.load import parse_settings

    (tmp_path / "ca.pem").write_bytes(Authority().root.public_bytes(Encoding.PEM))
    found = Signatures.of(parse_settings('[stir]\nauthorities = "ca.pem"\nverify = "refuse"').stir, tmp_path)
    assert (found._signer, found._refuses, found._verifier is None) == (None, True, False)
    nothing = Signatures.of(parse_settings("").stir, tmp_path)
    assert (nothing._signer, nothing._verifier) == (None, None)
