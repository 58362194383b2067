"""Answers to challenges: what the server computes from them, nonce counts, stale nonces, wrong passwords."""

import pytest

from sipcore.auth.client import Account, DigestClient
from sipcore.build import new_request, response_to
from sipcore.headers import Authorization, ProxyAuthorization
from sipcore.headers.auth import Credentials
from sipcore.message import Request, Response
from sipcore.uri import SipUri
from tests.sipcore.test_digest import proves
from tests.support.ids import CountingIds

PASSWORD = "Secret_1"


def request(body: bytes = b"") -> Request:
    uri = SipUri("sip", None, "provider.test")
    return new_request("REGISTER", uri, from_="<sip:a@x>;tag=1", to="<sip:a@x>", call_id="c", cseq=1, body=body)


def challenge(text: str, status: int = 401, *more: str) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    made = request()
    made.headers.add("via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1", top=True)
    return response_to(made, status, extra=[(name, value) for value in (text, *more)])


def client(*accounts: Account) -> DigestClient:
    return DigestClient(accounts or [Account("74950000001", PASSWORD)], CountingIds())


def signed(digest: DigestClient, body: bytes = b"") -> Request:
    made = request(body)
    digest.authorize(made)
    return made


def credentials(made: Request) -> list[Credentials]:
    return [*made.headers.all(Authorization), *made.headers.all(ProxyAuthorization)]


@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-256", "SHA-512-256", "MD5-sess"])
@pytest.mark.parametrize("qop", ["", "auth", "auth-int", "auth,auth-int"])
def test_the_server_accepts_the_answer(algorithm: str, qop: str) -> None:
    digest = client()
    text = 'Digest realm="p", nonce="n1", opaque="o"'
    text += f", algorithm={algorithm}" if algorithm else ""
    text += f', qop="{qop}"' if qop else ""
    assert digest.challenged(request(), challenge(text)) == ""
    (found,) = credentials(signed(digest, b"body"))
    assert proves(found, PASSWORD, "REGISTER", b"body")
    assert (found.username, found.opaque, found.uri) == ("74950000001", "o", "sip:provider.test")
    assert found.nc == ("00000001" if qop else "")


def test_the_strongest_challenge_is_answered() -> None:
    digest = client()
    md5 = 'Digest realm="p", nonce="n1", algorithm=MD5, qop="auth"'
    assert digest.challenged(request(), challenge(md5, 401, md5.replace("MD5", "SHA-256"), "Basic x", "Digest ,")) == ""
    (found,) = credentials(signed(digest))
    assert found.algorithm == "SHA-256"


def test_later_requests_carry_credentials_at_once_with_the_next_count() -> None:
    digest = client()
    digest.challenged(request(), challenge('Digest realm="p", nonce="n1", qop="auth"'))
    counts = [credentials(signed(digest))[0].nc for _ in range(3)]
    assert counts == ["00000001", "00000002", "00000003"]


def test_a_wrong_password_is_not_tried_again() -> None:
    digest = client()
    text = 'Digest realm="p", nonce="{}", qop="auth"'
    assert digest.challenged(request(), challenge(text.format("n1"))) == ""
    assert digest.challenged(signed(digest), challenge(text.format("n2"))) == "the login or the password is wrong"


def test_a_stale_nonce_is_replaced() -> None:
    digest = client()
    text = 'Digest realm="p", nonce="{}", qop="auth"'
    digest.challenged(request(), challenge(text.format("n1")))
    assert digest.challenged(signed(digest), challenge(text.format("n2") + ", stale=true")) == ""
    (found,) = credentials(signed(digest))
    assert (found.nonce, found.nc) == ("n2", "00000001")


def test_an_old_nonce_that_is_challenged_again_without_stale_is_no_wrong_password() -> None:
    digest = client()
    text = 'Digest realm="p", nonce="{}", qop="auth"'
    digest.challenged(request(), challenge(text.format("n1")))
    signed(digest)
    assert digest.challenged(signed(digest), challenge(text.format("n2"))) == ""


def test_a_proxy_and_a_server_each_have_their_credentials() -> None:
    digest = client(Account("general", PASSWORD), Account("special", "Other_1", "proxy"))
    digest.challenged(request(), challenge('Digest realm="proxy", nonce="n1", qop="auth"', 407))
    digest.challenged(signed(digest), challenge('Digest realm="server", nonce="n2", qop="auth"'))
    made = signed(digest)
    assert [each.username for each in made.headers.all(Authorization)] == ["general"]
    assert [each.username for each in made.headers.all(ProxyAuthorization)] == ["special"]


def test_the_nonce_for_the_next_request_is_taken_over() -> None:
    digest = client()
    digest.challenged(request(), challenge('Digest realm="p", nonce="n1", qop="auth"'))
    made = signed(digest)
    made.headers.add("via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1", top=True)
    digest.learn(response_to(made, 200, extra=[("Authentication-Info", 'nextnonce="n2"')]))
    (found,) = credentials(signed(digest))
    assert (found.nonce, found.nc) == ("n2", "00000001")


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([], "the challenge cannot be read"),
        (["Digest nonsense"], "the challenge cannot be read"),
        (['Digest realm="p", nonce="n", algorithm=ROT13'], "no algorithm that both sides know proves the password"),
        (["Basic dGVzdA=="], "no algorithm that both sides know proves the password"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(texts: list[str], why: str) -> None:
    made = request()
    made.headers.add("via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1", top=True)
    response = response_to(made, 401, extra=[("WWW-Authenticate", text) for text in texts])
    assert client().challenged(request(), response) == why


def test_a_realm_without_a_login_is_a_sentence() -> None:
    digest = client(Account("a", PASSWORD, "elsewhere"))
    assert "no login for the realm" in digest.challenged(request(), challenge('Digest realm="p", nonce="n"'))


def test_endless_realms_are_forgotten() -> None:
    digest = client()
    for number in range(100):
        digest.challenged(request(), challenge(f'Digest realm="r{number}", nonce="n"'))
    assert len(credentials(signed(digest))) <= 8


def test_the_password_is_not_printed() -> None:
    assert PASSWORD not in repr(Account("a", PASSWORD))
