"""Signatures of numbers (RFC 8224, RFC 8225, RFC 8588): made, read, believed or not."""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from pbx.control.messages import ControlError
from pbx.stir.credentials import Credential, _ranges
from pbx.stir.passport import SignedPassport, digits
from pbx.stir.signer import Signer
from pbx.stir.verifier import KEPT_S, Validation, Verdict, Verifier
from sipcore.errors import ParseError
from tests.support.signers import URL, Authority, certificate, entries

WALL = 1_790_000_000.0
ORIG, DEST = "12155551212", "12355551212"
PASSED, FAILED, NONE = Validation.PASSED, Validation.FAILED, Validation.NONE


def coded(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


async def judged(
    verifier: Verifier, *identities: str, orig: str = ORIG, dest: str = DEST, wall: float = WALL
) -> Verdict:
    return await verifier.judge(identities, {f"+{orig}"}, {dest, "sales"}, wall)


@pytest.mark.parametrize("attest", ["A", "B", "C"])
async def test_a_signature_is_believed_and_says_what_its_signer_knows(attest: str) -> None:
    authority = Authority()
    signed = authority.signer(depth=2).identity("+1 (215) 555-1212", DEST, attest, WALL)
    verdict = await judged(Verifier([authority.root], authority.fetch), signed, wall=WALL + 59)
    assert verdict == Verdict(PASSED, attest)


def test_the_passport_of_rfc_8588_is_made_to_the_octet() -> None:
    """§5: keys in their order, no spaces."""
    signed = SignedPassport.parse(Authority().signer().identity(ORIG, DEST, "A", WALL))
    head, claims = (each + b"=" * (-len(each) % 4) for each in signed.signed.split(b"."))
    assert urlsafe_b64decode(head) == f'{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}'.encode()
    text = urlsafe_b64decode(claims).decode()
    assert text.startswith(
        f'{{"attest":"A","dest":{{"tn":["{DEST}"]}},"iat":{int(WALL)},"orig":{{"tn":"{ORIG}"}},"origid":"'
    )


async def test_a_call_without_a_signature_is_none_that_failed() -> None:
    assert await judged(Verifier([])) == Verdict(NONE, why="nobody signs for the number")


@pytest.mark.parametrize(
    ("orig", "dest", "later_s", "why"),
    [
        ("12155551213", DEST, 0, "it is for another caller"),
        (ORIG, "12355551213", 0, "it is for another number"),
        (ORIG, DEST, 61, "it was signed at another time"),
        (ORIG, DEST, -61, "it was signed at another time"),
    ],
)
async def test_a_signature_of_another_call_is_worth_nothing(orig: str, dest: str, later_s: float, why: str) -> None:
    authority = Authority()
    signed = authority.signer().identity(ORIG, DEST, "A", WALL)
    verifier = Verifier([authority.root], authority.fetch)
    assert await judged(verifier, signed, orig=orig, dest=dest, wall=WALL + later_s) == Verdict(FAILED, why=why)
    assert not authority.asked, "nobody makes us fetch for nothing"


async def test_who_is_not_certified_by_a_trusted_authority_is_not_believed() -> None:
    authority, other = Authority(), Authority("other")
    verifier = Verifier([authority.root], other.fetch)
    verdict = await judged(verifier, other.signer().identity(ORIG, DEST, "A", WALL))
    assert (verdict.validation, verdict.why) == (FAILED, "no authority that is trusted here has signed its certificate")


async def test_a_signer_may_not_certify_others() -> None:
    """A certificate without CA:TRUE between the authority and who signs."""
    authority, key = Authority(), ec.generate_private_key(ec.SECP256R1())
    signer = authority.signer()
    forged = certificate("forged", key.public_key(), "signer", signer._key)
    authority.files[URL] = forged.public_bytes(Encoding.PEM) + authority.files[URL]
    verdict = await judged(
        Verifier([authority.root], authority.fetch), Signer(key, URL).identity(ORIG, DEST, "A", WALL)
    )
    assert (verdict.validation, verdict.why) == (FAILED, "no authority that is trusted here has signed its certificate")


async def test_an_expired_certificate_is_not_believed() -> None:
    authority = Authority()
    signer = authority.signer(until=datetime(2020, 1, 1, tzinfo=UTC))
    verdict = await judged(Verifier([authority.root], authority.fetch), signer.identity(ORIG, DEST, "A", WALL))
    assert (verdict.validation, verdict.why) == (FAILED, "its certificate does not hold at this time")


@pytest.mark.parametrize(
    ("numbers", "is_covered"),
    [
        (b"", True),
        (entries(code="1234"), True),
        (entries(ORIG), True),
        (entries("19999999999"), False),
        (entries(ranges=[("12155551200", 13)]), True),
        (entries(ranges=[("12155551200", 12)]), False),
        (b"\x30\x80\xff", False),
        (b"rubbish", False),
    ],
)
async def test_a_certificate_for_certain_numbers_is_for_no_others(numbers: bytes, is_covered: bool) -> None:
    authority = Authority()
    signed = authority.signer(numbers).identity(ORIG, DEST, "A", WALL)
    verdict = await judged(Verifier([authority.root], authority.fetch), signed)
    assert verdict.validation is (PASSED if is_covered else FAILED)


async def test_a_changed_passport_is_found_out() -> None:
    authority = Authority()
    token, _, params = authority.signer().identity(ORIG, DEST, "C", WALL).partition(";")
    head, claims, signature = token.split(".")
    better = claims.replace(coded('{"attest":"C'), coded('{"attest":"A'))
    assert better != claims
    verdict = await judged(Verifier([authority.root], authority.fetch), f"{head}.{better}.{signature};{params}")
    assert verdict == Verdict(FAILED, why="the signature is not of its certificate")


async def test_a_certificate_that_cannot_be_had_says_nothing_and_one_good_signature_is_enough() -> None:
    authority = Authority()
    gone = authority.signer(url="https://gone.example/x.pem").identity(ORIG, DEST, "A", WALL)
    del authority.files["https://gone.example/x.pem"]
    verifier = Verifier([authority.root], authority.fetch)
    assert await judged(verifier, gone) == Verdict(NONE, why="its certificate cannot be had: HTTP 404 Not Found")
    good = authority.signer().identity(ORIG, DEST, "B", WALL)
    assert await judged(verifier, "nonsense", gone, good) == Verdict(PASSED, "B")


async def test_a_server_of_certificates_that_is_silent_is_not_waited_for_long() -> None:
    async def silent(url: str) -> bytes:
        await asyncio.sleep(60)
        return b""

    authority = Authority()
    began = asyncio.get_running_loop().time()
    verdict = await judged(Verifier([authority.root], silent), authority.signer().identity(ORIG, DEST, "A", WALL))
    assert (verdict.validation, asyncio.get_running_loop().time() - began) == (NONE, 3.0)


async def test_a_certificate_is_fetched_once_an_hour() -> None:
    authority = Authority()
    signer, verifier = authority.signer(), Verifier([authority.root], authority.fetch)
    for later_s in (0.0, 10.0, KEPT_S + 1):
        signed = signer.identity(ORIG, DEST, "A", WALL + later_s)
        assert (await judged(verifier, signed, wall=WALL + later_s)).validation is PASSED
    assert authority.asked == [URL, URL]


HEAD = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": URL}
CLAIMS = {"attest": "A", "dest": {"tn": [DEST]}, "iat": 1, "orig": {"tn": ORIG}, "origid": "x"}
SIGNATURE = urlsafe_b64encode(bytes(64)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("head", "claims", "tail"),
    [
        ({**HEAD, "alg": "none"}, CLAIMS, ""),
        ({**HEAD, "ppt": "div"}, CLAIMS, ""),
        ({**HEAD, "x5u": "http://cert.example/1.pem"}, CLAIMS, ""),
        ({**HEAD, "x5u": "file:///etc/passwd"}, CLAIMS, ""),
        (HEAD, {**CLAIMS, "attest": "D"}, ""),
        (HEAD, {**CLAIMS, "iat": "1"}, ""),
        (HEAD, {**CLAIMS, "dest": {"tn": []}}, ""),
        (HEAD, {**CLAIMS, "dest": {"uri": ["sip:a@b"]}}, ""),
        (HEAD, {**CLAIMS, "orig": {"tn": "+1"}}, ""),
        (HEAD, CLAIMS, ";info=<https://other.example/1.pem>"),
        (HEAD, CLAIMS, ";ppt=div"),
        (HEAD, CLAIMS, ";;"),
        ("[]", CLAIMS, ""),
        (HEAD, "[" * 3000, ""),
    ],
)
def test_what_is_no_passport_of_this_kind_is_refused(head: object, claims: object, tail: str) -> None:
    with pytest.raises(ParseError):
        SignedPassport.parse(f"{coded(head)}.{coded(claims)}.{SIGNATURE}{tail}")


@pytest.mark.parametrize("text", ["", "..x;info=<https://a>", "a.b", "a.b.c.d", "a.b.c", "é.b.c", "x" * 5000])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        SignedPassport.parse(text)


@given(st.text(max_size=300), st.dictionaries(st.sampled_from(list(CLAIMS)), st.none() | st.integers() | st.text()))
def test_anything_is_a_passport_or_refused(text: str, claims: dict[str, object]) -> None:
    for value in (text, f"{coded(HEAD)}.{coded({**CLAIMS, **claims})}.{SIGNATURE};{text}"):
        try:
            SignedPassport.parse(value)
        except ParseError:
            continue


@given(st.binary(max_size=80))
def test_any_list_of_numbers_is_read(data: bytes) -> None:
    _ranges(data)


def test_numbers_are_digits() -> None:
    assert digits("+7 (495) 123-45-67") == "74951234567"


def test_a_key_that_cannot_sign_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(ControlError, match=r"cannot be read: No such file"):
        Signer.load(path, URL)
    path.write_text("no key")
    with pytest.raises(ControlError, match="holds no private key in PEM form"):
        Signer.load(path, URL)
    wrong = ec.generate_private_key(ec.SECP384R1())
    path.write_bytes(wrong.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ControlError, match="none of the curve P-256"):
        Signer.load(path, URL)
    right = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(right.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert SignedPassport.parse(Signer.load(path, URL).identity(ORIG, DEST, "A", WALL)).passport.x5u == URL


def test_authorities_that_cannot_be_read_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with pytest.raises(ControlError, match=r"cannot be read: No such file"):
        Verifier.load(path)
    path.write_text("none")
    with pytest.raises(ControlError, match="holds no certificates"):
        Verifier.load(path)
    path.write_bytes(Authority().root.public_bytes(Encoding.PEM))
    Verifier.load(path)


def test_a_key_of_another_kind_has_signed_nothing() -> None:
    authority = Authority()
    authority.signer()
    credential = Credential.of(authority.files[URL], [authority.root], datetime.fromtimestamp(WALL, UTC))
    assert not credential.has_signed(b"x", bytes(64))
