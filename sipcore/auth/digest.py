"""Digest access authentication: compute, verify and answer (RFC 7616, RFC 8760; RFC 2617 and 2069 peers)."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from hmac import compare_digest
from typing import NewType

from sipcore.errors import LocalProtocolError
from sipcore.headers.auth import Authorization, Challenge, Credentials, ProxyAuthenticate, ProxyAuthorization

Hash = Callable[[bytes], str]
Ha1 = NewType("Ha1", str)
"""H(username:realm:password) in hexadecimal: what may be stored instead of a password."""


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data).hexdigest()


_HASHES: dict[str, Hash] = {"MD5": _md5, "SHA-256": _sha256}
if "sha512_256" in hashlib.algorithms_available:
    _HASHES["SHA-512-256"] = _sha512_256
_STRENGTH = ("MD5", "SHA-256", "SHA-512-256")
ALGORITHMS: tuple[str, ...] = tuple(_HASHES)
"""What this interpreter can compute, each also as `…-sess`."""


def ha1(username: str, realm: str, password: str, algorithm: str = "MD5") -> Ha1:
    """The secret half of the digest; for a `-sess` algorithm the part that does not depend on the session."""
    return Ha1(_hash_of(algorithm)(f"{username}:{realm}:{password}".encode()))


def expected_response(credentials: Credentials, secret: Ha1, method: str, body: bytes = b"") -> str | None:
    """The response that the owner of `secret` sends; None when algorithm or qop are ones we cannot compute."""
    base, session = _split_algorithm(credentials.algorithm)
    digest = _HASHES.get(base)
    if digest is None or credentials.qop not in ("", "auth", "auth-int"):
        return None
    a1: str = secret
    if session:
        a1 = digest(f"{a1}:{credentials.nonce}:{credentials.cnonce}".encode())
    a2 = f"{method}:{credentials.uri}"
    if credentials.qop == "auth-int":
        a2 = f"{a2}:{digest(body)}"
    h2 = digest(a2.encode())
    if credentials.qop:
        middle = f"{credentials.nonce}:{credentials.nc}:{credentials.cnonce}:{credentials.qop}"
    else:
        middle = credentials.nonce
    return digest(f"{a1}:{middle}:{h2}".encode())


def verify(credentials: Credentials, secret: Ha1, method: str, body: bytes = b"") -> bool:
    """Whether the response is right, compared in constant time. `secret` must be of the credentials' algorithm.

    Realm, nonce, nonce count and URI are not judged here.
    """
    expected = expected_response(credentials, secret, method, body)
    if expected is None:
        return False
    return compare_digest(expected.encode(), credentials.response.lower().encode("utf-8", "replace"))


def answer(
    challenge: Challenge,
    username: str,
    password: str,
    method: str,
    uri: str,
    cnonce: str,
    nc: int,
    body: bytes = b"",
) -> Credentials:
    """Credentials for a challenge that `choose` returned: an Authorization, or a ProxyAuthorization for a proxy's.

    `auth` is preferred to `auth-int`; without qop the answer is the RFC 2069 one.
    """
    base, session = _split_algorithm(challenge.algorithm)
    qop = _choose_qop(challenge.qop)
    if base not in _HASHES or qop is None:
        raise LocalProtocolError("the challenge asks for an algorithm or a qop that is not supported")
    secret = ha1(username, challenge.realm, password, base)
    kind = ProxyAuthorization if isinstance(challenge, ProxyAuthenticate) else Authorization
    name = _hash_user(username, challenge.realm, base) if challenge.userhash else username
    with_cnonce = bool(qop) or session
    unsigned = kind(
        username=name,
        realm=challenge.realm,
        nonce=challenge.nonce,
        uri=uri,
        algorithm=challenge.algorithm,
        cnonce=cnonce if with_cnonce else "",
        opaque=challenge.opaque,
        qop=qop,
        nc=f"{nc:08x}" if qop else "",
        userhash=challenge.userhash,
    )
    return replace(unsigned, response=expected_response(unsigned, secret, method, body) or "")


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The strongest challenge that we can answer, the first among equals (RFC 7616 §3.7, RFC 8760 §2.4)."""
    usable = [challenge for challenge in challenges if _may_answer(challenge)]
    return max(usable, key=lambda challenge: _STRENGTH.index(_split_algorithm(challenge.algorithm)[0]), default=None)


def _may_answer(challenge: Challenge) -> bool:
    return (
        challenge.scheme == "Digest"
        and _split_algorithm(challenge.algorithm)[0] in _HASHES
        and _choose_qop(challenge.qop) is not None
    )


def _choose_qop(offered: tuple[str, ...]) -> str | None:
    if not offered:
        return ""
    return next((qop for qop in ("auth", "auth-int") if qop in offered), None)


def _split_algorithm(name: str) -> tuple[str, bool]:
    """The hash name in upper case (MD5 when absent) and whether it is the session variant."""
    upper = name.upper() or "MD5"
    return (upper[:-5], True) if upper.endswith("-SESS") else (upper, False)


def _hash_of(algorithm: str) -> Hash:
    base, _ = _split_algorithm(algorithm)
    digest = _HASHES.get(base)
    if digest is None:
        raise LocalProtocolError(f"no hash function for the digest algorithm {algorithm}")
    return digest


def _hash_user(username: str, realm: str, base: str) -> str:
    """RFC 7616 §3.4.4."""
    return _HASHES[base](f"{username}:{realm}".encode())
