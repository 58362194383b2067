"""Certificates of signers (RFC 8226): a chain up to an authority that is trusted, and for which numbers they are."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
MOST_CERTIFICATES = 6
_SPC, _RANGE, _ONE = 0xA0, 0xA1, 0xA2  # choices of a TNEntry (RFC 8226 §9)
_SEQUENCE, _INTEGER = 0x30, 0x02


class Untrusted(Exception):
    """Why a certificate is not believed: a sentence."""


class Credential:
    """The certificate of a signer, found good when it was made."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self._certificate = certificate

    @classmethod
    def of(cls, pem: bytes, authorities: Sequence[x509.Certificate], at: datetime) -> "Credential":
        """From a file with the certificate first and those between it and an authority after it; raises Untrusted."""
        try:
            chain = x509.load_pem_x509_certificates(pem)[:MOST_CERTIFICATES]
        except ValueError:
            raise Untrusted("its certificate is none in PEM form") from None
        for certificate in chain:
            if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
                raise Untrusted("its certificate does not hold at this time")
        issued = chain[0]
        for issuer in chain[1:]:
            if _has_signed(issuer, issued) and _is_authority(issuer):
                issued = issuer
        if not any(each == issued or _has_signed(each, issued) for each in authorities):
            raise Untrusted("no authority that is trusted here has signed its certificate")
        return cls(chain[0])

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether r and s in `signature` are of `data` (ES256, RFC 7518 §3.4)."""
        key = self._certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            return False
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
        try:
            key.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def covers(self, number: str) -> bool:
        """Whether it may be used for a number: a certificate of an operator for any, else those that it lists."""
        return self._authorised is None or any(first <= number <= last for first, last in self._authorised)

    def expired(self, at: datetime) -> bool:
        return at > self._certificate.not_valid_after_utc

    @cached_property
    def _authorised(self) -> tuple[tuple[str, str], ...] | None:
        """Ranges of numbers; None for all."""
        try:
            found = self._certificate.extensions.get_extension_for_oid(TN_AUTH_LIST).value
        except x509.ExtensionNotFound:
            return None
        assert isinstance(found, x509.UnrecognizedExtension)
        return _ranges(found.value)


def _has_signed(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    try:
        issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _ranges(der: bytes) -> tuple[tuple[str, str], ...] | None:
    """Of a TNAuthorizationList; nothing at all where it cannot be read."""
    found: list[tuple[str, str]] = []
    for _, entries in _elements(der):
        for kind, inside in _elements(entries):
            (tag, value), *_ = [*_elements(inside), (0, b"")]
            if kind == _SPC:
                return None
            if kind == _ONE:
                number = value.decode("ascii", "replace")
                found.append((number, number))
            elif kind == _RANGE and tag == _SEQUENCE:
                found += _range(value)
    return tuple(found)


def _range(der: bytes) -> Iterator[tuple[str, str]]:
    """A first number, and how many there are."""
    (_, first), (tag, count), *_ = [*_elements(der), (0, b""), (0, b"")]
    text = first.decode("ascii", "replace")
    if tag == _INTEGER and text.isdecimal() and len(count) <= 8:
        yield text, str(int(text) + int.from_bytes(count, "big") - 1).zfill(len(text))


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents, one after the other, as far as they are whole."""
    at = 0
    while at + 2 <= len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        if at + length > len(der):
            return
        yield tag, der[at : at + length]
        at += length
