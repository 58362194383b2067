"""Digest authentication: published vectors, client against server, refusals."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.auth.digest import ALGORITHMS, Ha1, answer, choose, expected_response, ha1, verify
from sipcore.errors import LocalProtocolError
from sipcore.headers import Authorization, Credentials, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate


def proves(credentials: Credentials, password: str, method: str, body: bytes = b"") -> bool:
    """Whether the credentials are those of who knows the password."""
    named = credentials.algorithm.upper().removesuffix("-SESS")
    algorithm = named if named in ALGORITHMS else "MD5"
    return verify(credentials, ha1(credentials.username, credentials.realm, password, algorithm), method, body)


BODY = (
    b"v=0\r\no=bob 2890844526 2890844526 IN IP4 media.biloxi.com\r\ns=-\r\nc=IN IP4 media.biloxi.com\r\nt=0 0\r\n"
    b"m=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 51372 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n"
    b"m=video 53000 RTP/AVP 32\r\na=rtpmap:32 MPV/90000\r\n"
)
BOB = Authorization(
    username="bob", realm="biloxi.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="sip:bob@biloxi.com"
)
COUNTED = replace(BOB, nc="00000001", cnonce="0a4f113b")
MUFASA = Authorization(
    username="Mufasa",
    realm="http-auth@example.org",
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    uri="/dir/index.html",
    nc="00000001",
    cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    qop="auth",
)


@pytest.mark.parametrize(
    ("credentials", "password", "method", "body", "response"),
    [
        # SIP examples of draft-smith-sipping-auth-examples-01
        (BOB, "zanzibar", "INVITE", b"", "bf57e4e0d0bffc0fbaedce64d59add5e"),
        (replace(COUNTED, qop="auth"), "zanzibar", "INVITE", b"", "89eb0059246c02b2f6ee02c7961d5ea3"),
        (
            replace(COUNTED, qop="auth", algorithm="MD5-sess"),
            "zanzibar",
            "INVITE",
            b"",
            "e4e4ea61d186d07a92c9e1f6919902e9",
        ),
        (replace(COUNTED, qop="auth-int"), "zanzibar", "INVITE", BODY, "bdbeebb2da6adb6bca02599c2239e192"),
        (
            replace(COUNTED, qop="auth-int", algorithm="MD5-sess"),
            "zanzibar",
            "INVITE",
            BODY,
            "91984da2d8663716e91554859c22ca70",
        ),
        # RFC 7616 §3.9.1
        (replace(MUFASA, algorithm="MD5"), "Circle of Life", "GET", b"", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            replace(MUFASA, algorithm="SHA-256"),
            "Circle of Life",
            "GET",
            b"",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        # RFC 2617 §3.5
        (
            Authorization(
                username="Mufasa",
                realm="testrealm@host.com",
                nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
                uri="/dir/index.html",
                qop="auth",
                nc="00000001",
                cnonce="0a4f113b",
            ),
            "Circle Of Life",
            "GET",
            b"",
            "6629fae49393a05397450978507c4ef1",
        ),
    ],
)
def test_published_responses(
    credentials: Authorization, password: str, method: str, body: bytes, response: str
) -> None:
    secret = ha1(credentials.username, credentials.realm, password, credentials.algorithm)
    assert expected_response(credentials, secret, method, body) == response
    signed = replace(credentials, response=response)
    assert verify(signed, secret, method, body)
    assert verify(replace(signed, response=response.upper()), secret, method, body)
    assert proves(signed, password, method, body)


@pytest.mark.skipif("SHA-512-256" not in ALGORITHMS, reason="this OpenSSL has no SHA-512/256")
def test_the_user_hash_example_of_rfc_7616_as_corrected_by_erratum_4897() -> None:
    challenge = WwwAuthenticate(
        realm="api@example.org",
        nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        algorithm="SHA-512-256",
        qop=("auth",),
        opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS",
        charset="UTF-8",
        userhash=True,
    )
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    signed = answer(challenge, "Jäsøn Doe", "Secret, or not?", "GET", "/doe.json", cnonce, 1)
    assert signed.username == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    assert signed.response == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert signed.opaque == challenge.opaque


CHALLENGES = st.builds(
    WwwAuthenticate,
    realm=st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=10),
    nonce=st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    algorithm=st.sampled_from(["", *ALGORITHMS, *(f"{name}-sess" for name in ALGORITHMS), "md5"]),
    qop=st.sampled_from([(), ("auth",), ("auth-int",), ("auth-int", "auth")]),
    opaque=st.sampled_from([None, "", "x"]),
)
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=10)


@given(CHALLENGES, NAMES, NAMES, st.integers(1, 2**32 - 1), st.binary(max_size=20))
def test_what_the_client_answers_the_server_accepts_over_the_wire(
    challenge: WwwAuthenticate, username: str, password: str, nc: int, body: bytes
) -> None:
    seen = WwwAuthenticate.parse(str(challenge))
    assert seen == challenge
    signed = answer(seen, username, password, "REGISTER", "sip:pbx.example.org", "c0ffee", nc, body)
    received = Authorization.parse(str(signed))
    assert received == signed
    assert proves(received, password, "REGISTER", body)
    assert not proves(received, password + "x", "REGISTER", body)
    assert not proves(received, password, "INVITE", body)
    assert not proves(replace(received, uri="sip:other"), password, "REGISTER", body)
    assert not proves(replace(received, nonce="other"), password, "REGISTER", body)
    assert proves(received, password, "REGISTER", body + b"!") is (received.qop != "auth-int")
    if received.qop:
        assert received.count == nc
        assert not proves(replace(received, nc="00000000"), password, "REGISTER", body)


def test_a_proxy_challenge_is_answered_with_proxy_credentials() -> None:
    challenge = ProxyAuthenticate(realm="r", nonce="n", qop=("auth",))
    signed = answer(challenge, "u", "p", "INVITE", "sip:x", "c", 10)
    assert type(signed) is ProxyAuthorization
    assert signed.nc == "0000000a"


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "AKAv1-MD5"},
        {"qop": "auth-conf"},
        {"response": ""},
        {"response": "ÿ"},
        {"scheme": "Basic", "username": ""},
    ],
)
def test_what_cannot_be_computed_never_verifies(change: dict[str, str]) -> None:
    good = replace(COUNTED, qop="auth", response="89eb0059246c02b2f6ee02c7961d5ea3")
    assert proves(good, "zanzibar", "INVITE")
    assert not proves(replace(good, **change), "zanzibar", "INVITE")  # type: ignore[arg-type]
    assert not verify(replace(good, **change), Ha1("0" * 32), "INVITE")  # type: ignore[arg-type]


def test_the_strongest_challenge_that_can_be_answered_is_chosen() -> None:
    md5, sha = WwwAuthenticate(realm="r"), WwwAuthenticate(realm="r", algorithm="SHA-256")
    odd = WwwAuthenticate(realm="r", algorithm="SHA-3")
    basic = WwwAuthenticate(scheme="Basic", other='realm="r"')
    other_qop = WwwAuthenticate(realm="r", algorithm="SHA-256", qop=("auth-conf",))
    assert choose([md5, sha, odd, basic]) is sha
    assert choose([odd, md5, other_qop]) is md5
    assert choose([odd, basic, other_qop]) is None
    assert choose([]) is None
    first, second = WwwAuthenticate(realm="1"), WwwAuthenticate(realm="2")
    assert choose([first, second]) is first


def test_answering_or_hashing_with_an_unknown_algorithm_is_our_bug() -> None:
    with pytest.raises(LocalProtocolError):
        answer(WwwAuthenticate(algorithm="SHA-3"), "u", "p", "INVITE", "sip:x", "c", 1)
    with pytest.raises(LocalProtocolError):
        ha1("u", "r", "p", "SHA-3")
