"""DTLS-SRTP (RFC 5763, RFC 5764): one handshake, sans I/O, by OpenSSL through pyOpenSSL.

Imported when the first endpoint that shakes hands is made: OpenSSL's binding takes a tenth of a second to load.
"""

import contextlib
import datetime
import hashlib
import hmac
import os
from enum import Enum
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from frozen import dataclass
from media.api import DtlsPeer, SrtpKeys
from media.srtp.suites import SUITES

MTU = 1200  # what gets through tunnels and IPv6 as well
RECORD_HEADER = 13
LABEL = b"EXTRACTOR-dtls_srtp"
VALID_DAYS = 365
# By their names in OpenSSL, preferred one first.
PROFILES = {
    b"SRTP_AEAD_AES_128_GCM": SUITES["AEAD_AES_128_GCM"],
    b"SRTP_AEAD_AES_256_GCM": SUITES["AEAD_AES_256_GCM"],
    b"SRTP_AES128_CM_SHA1_80": SUITES["AES_CM_128_HMAC_SHA1_80"],
    b"SRTP_AES128_CM_SHA1_32": SUITES["AES_CM_128_HMAC_SHA1_32"],
}


class State(Enum):
    SHAKING = "shaking"
    AGREED = "agreed"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Identity:
    """A key and a certificate that only this process has, for all its handshakes. `fingerprint` as SDP writes it."""

    context: Any
    fingerprint: str


@cache
def identity() -> Identity:
    """Made when it is needed first. Who it is does not matter: SDP carries the fingerprint (RFC 5763 §5)."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "zvon")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(os.urandom(19), "big") | 1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .sign(key, hashes.SHA256())
    )
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _anybody)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_cipher_list(b"ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_tlsext_use_srtp(b":".join(PROFILES))
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Identity(context, f"sha-256 {digest_of(der, 'sha-256')}")


def _anybody(*_: object) -> bool:
    """The fingerprint decides, when the handshake is done."""
    return True


def digest_of(der: bytes, algorithm: str) -> str:
    """The digits of a fingerprint (RFC 8122 §5)."""
    digest = hashlib.new(algorithm.replace("-", ""), der).digest()
    return digest.hex(":").upper()


class Association:
    """One handshake and what follows. Packets of the peer go into `receive`; after each call `outgoing` has what is to
    be sent, `state` and `keys` what came of it, `timeout_s` when `expire` is due."""

    def __init__(self, peer: DtlsPeer) -> None:
        self.peer = peer
        self.state = State.SHAKING
        self.keys: SrtpKeys | None = None
        self.why = ""
        self._ssl = SSL.Connection(identity().context, None)
        self._ssl.set_ciphertext_mtu(MTU)
        if peer.is_client:
            self._ssl.set_connect_state()
        else:
            self._ssl.set_accept_state()

    def start(self) -> None:
        """The client's first message; a server has none."""
        if self.peer.is_client:
            self._shake()

    def receive(self, data: bytes) -> None:
        """One datagram."""
        if not data or self.state in (State.FAILED, State.CLOSED):
            return
        self._ssl.bio_write(data)
        if self.state is State.SHAKING:
            self._shake()
        else:
            self._listen()

    @property
    def is_closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def timeout_s(self) -> float | None:
        """Until a flight has to be sent again; None: nothing waits."""
        if self.state is not State.SHAKING:
            return None
        found = self._ssl.DTLSv1_get_timeout()
        return None if found is None else float(found)

    def expire(self) -> None:
        """Send the last flight again (RFC 6347 §4.2.4)."""
        if self.state is State.SHAKING:
            try:
                self._ssl.DTLSv1_handle_timeout()
            except SSL.Error:
                self._fail("the peer does not answer")

    def close(self) -> None:
        """Say goodbye."""
        if self.state is State.AGREED:
            self.state = State.CLOSED
            with contextlib.suppress(SSL.Error):  # the peer knows already
                self._ssl.shutdown()

    def outgoing(self) -> list[bytes]:
        """Datagrams to send: whole records, as many as fit."""
        try:
            data = self._ssl.bio_read(65536)
        except SSL.Error:
            return []
        packets: list[bytes] = []
        at = 0
        while at + RECORD_HEADER <= len(data):
            end = at + RECORD_HEADER + int.from_bytes(data[at + 11 : at + 13], "big")
            if packets and len(packets[-1]) + end - at <= MTU:
                packets[-1] += data[at:end]
            else:
                packets.append(data[at:end])
            at = end
        return packets

    def _shake(self) -> None:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self._fail(f"the handshake failed: {error}")
            return
        self._check_peer()

    def _check_peer(self) -> None:
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            self._fail("the peer has no certificate")
            return
        der = certificate.public_bytes(serialization.Encoding.DER)
        if not any(hmac.compare_digest(digest_of(der, name), digits) for name, digits in self.peer.fingerprints):
            self._fail("the peer's certificate is not the one that its description names")
            return
        self._export()

    def _export(self) -> None:
        """RFC 5764 §4.2: client's and server's key, client's and server's salt."""
        suite = PROFILES.get(self._ssl.get_selected_srtp_profile())
        if suite is None:
            self._fail("the peer knows no SRTP profile of ours")
            return
        material = self._ssl.export_keying_material(LABEL, 2 * suite.length)
        keys, salts = material[: 2 * suite.key], material[2 * suite.key :]
        client = keys[: suite.key] + salts[: suite.salt]
        server = keys[suite.key :] + salts[suite.salt :]
        own, other = (client, server) if self.peer.is_client else (server, client)
        self.keys = SrtpKeys(suite.name, send=own, receive=other)
        self.state = State.AGREED

    def _listen(self) -> None:
        """The peer's last flight once more, or its goodbye; there is no data that we would want."""
        try:
            self._ssl.recv(1500)
        except SSL.ZeroReturnError:
            self.state = State.CLOSED
        except SSL.Error:
            pass

    def _fail(self, why: str) -> None:
        self.state, self.why = State.FAILED, why
