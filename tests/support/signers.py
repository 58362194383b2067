"""An authority that certifies signers of numbers, as an operator has one (RFC 8226)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pbx.stir.credentials import TN_AUTH_LIST
from pbx.stir.signer import Signer

URL = "https://cert.example/1.pem"
LONG_AGO, FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Authority:
    """A root, and certificates that it signs. `files` are what is at which URL."""

    def __init__(self, name: str = "root") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.root = certificate(name, self._key.public_key(), name, self._key, is_authority=True)
        self._name = name
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def signer(self, numbers: bytes = b"", *, url: str = URL, until: datetime = FAR_AHEAD, depth: int = 0) -> Signer:
        """Somebody with a certificate at `url`, for `numbers` (a TNAuthorizationList); `depth` authorities between."""
        name, key, chain = self._name, self._key, list[x509.Certificate]()
        for level in range(depth):
            below = ec.generate_private_key(ec.SECP256R1())
            chain.insert(0, certificate(f"between {level}", below.public_key(), name, key, is_authority=True))
            name, key = f"between {level}", below
        own = ec.generate_private_key(ec.SECP256R1())
        leaf = certificate("signer", own.public_key(), name, key, numbers=numbers, until=until)
        self.files[url] = b"".join(each.public_bytes(Encoding.PEM) for each in (leaf, *chain))
        return Signer(own, url)

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.files:
            raise ValueError("HTTP 404 Not Found")
        return self.files[url]


def entries(*numbers: str, ranges: Sequence[tuple[str, int]] = (), code: str = "") -> bytes:
    """A TNAuthorizationList: single numbers, first numbers with how many there are, the code of an operator."""
    inside = b"".join(_tlv(0xA2, _tlv(0x16, each.encode())) for each in numbers)
    for first, count in ranges:
        inside += _tlv(0xA1, _tlv(0x30, _tlv(0x16, first.encode()) + _tlv(2, count.to_bytes(2, "big"))))
    if code:
        inside += _tlv(0xA0, _tlv(0x16, code.encode()))
    return _tlv(0x30, inside)


def _tlv(tag: int, value: bytes) -> bytes:
    return bytes([tag, len(value)]) + value


def certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: str,
    by: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool = False,
    numbers: bytes = b"",
    until: datetime = FAR_AHEAD,
) -> x509.Certificate:
    named = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer))
    builder = x509.CertificateBuilder().subject_name(next(named)).issuer_name(next(named)).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(min(LONG_AGO, until - timedelta(days=1))).not_valid_after(until)
    builder = builder.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    if numbers:
        builder = builder.add_extension(x509.UnrecognizedExtension(TN_AUTH_LIST, numbers), critical=False)
    return builder.sign(by, SHA256())
