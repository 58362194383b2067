"""The server's certificate: its files, a self-signed one where none is given, and changes while the server runs."""

import datetime as dt
import ipaddress
import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conf.schema import SipSettings
from pbx.control.messages import ControlError
from sipcore.transport.tls_layer import KeyPair, TlsIdentity

CERTIFICATE_FILE, KEY_FILE = "certificate.pem", "key.pem"
POLL_S = 2.0
_KEY_BITS = 2048  # what every phone with TLS 1.2 can do; elliptic curves are not
_YEARS = 10
_WHERE = "change [sip] certificate and key in the settings"

log = structlog.get_logger("tls")


class ServerCertificate:
    """Certificates and keys in force. `poll` from time to time takes over what has changed in the files. `identity` is
    shown to phones, who may have to show a certificate themselves, `web_identity` to browsers."""

    def __init__(
        self, certificate: Path, key: Path, more: Sequence[tuple[Path, Path]] = (), client_ca: Path | None = None
    ) -> None:
        self._files, self._more, self._client_ca = (certificate, key), tuple(more), client_ca
        others = self._checked()
        self._state = self._stamps()
        try:
            self.identity = TlsIdentity(certificate, key, others, client_ca)
            self.web_identity = TlsIdentity(certificate, key, others)
        except OSError as error:
            raise ControlError(_unusable(certificate, error)) from None

    @classmethod
    def open(cls, sip: SipSettings, data: Path) -> "ServerCertificate":
        """The configured files, or those in the data folder, made when they are missing; raises `ControlError`."""
        more = [(data / each.certificate, data / each.key) for each in sip.more_certificates]
        client_ca = data / sip.client_ca if sip.client_ca else None
        if sip.certificate:
            return cls(data / sip.certificate, data / sip.key, more, client_ca)
        certificate, key = data / CERTIFICATE_FILE, data / KEY_FILE
        if not certificate.exists() and not key.exists():
            try:
                make_self_signed(certificate, key, own_names(sip), dt.datetime.now(dt.UTC))
            except OSError as error:
                raise ControlError(f"{error.filename or certificate} cannot be written: {error.strerror}") from None
            log.info("a self-signed certificate was made", file=str(certificate))
        return cls(certificate, key, more, client_ca)

    @property
    def files(self) -> tuple[Path, Path]:
        """The first certificate and its key."""
        return self._files

    def poll(self) -> bool:
        """True when a changed pair is in force now; of a broken one the log tells, and the old one stays."""
        state = self._stamps()
        if state == self._state:
            return False
        self._state = state
        certificate, _ = self._files
        try:
            others = self._checked()
            self.identity.reload(others)
            self.web_identity.reload(others)
        except ControlError as error:
            log.error("the new certificate is not used, the old one stays", why=str(error))
            return False
        except OSError as error:
            log.error("the new certificate is not used, the old one stays", why=_unusable(certificate, error))
            return False
        log.info("the new certificate is in force", file=str(certificate))
        return True

    def _stamps(self) -> list[tuple[int, int, int] | None]:
        pairs = (self._files, *self._more)
        authorities = [self._client_ca] if self._client_ca is not None else []
        return [_stamp(path) for path in (*(path for pair in pairs for path in pair), *authorities)]

    def _checked(self) -> list[KeyPair]:
        """The pairs besides the first; raises `ControlError` for any file that is not right."""
        now = dt.datetime.now(dt.UTC)
        for pair in (self._files, *self._more):
            check_pair(*pair, now)
        if self._client_ca is not None:
            _read_certificate(self._client_ca, "[sip] client_ca")
        return [KeyPair(certificate, key, names_in(certificate)) for certificate, key in self._more]


def check_pair(certificate: Path, key: Path, now: dt.datetime) -> None:
    """Raises `ControlError` with a sentence that says what is wrong with the files and what to do."""
    shown = _read_certificate(certificate)
    private = _read_key(key)
    if shown.public_key() != private.public_key():
        raise ControlError(f"the key {key} does not belong to the certificate {certificate}: {_WHERE}")
    if shown.not_valid_after_utc <= now:
        ended = shown.not_valid_after_utc.date()
        raise ControlError(f"the certificate {certificate} has expired on {ended}: renew it, or {_WHERE}")
    if shown.not_valid_before_utc > now:
        begins = shown.not_valid_before_utc.date()
        raise ControlError(f"the certificate {certificate} is valid from {begins} only: set the clock, or {_WHERE}")


def names_in(certificate: Path) -> tuple[str, ...]:
    """The host names that a certificate stands for."""
    try:
        found = _read_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        raise ControlError(
            f"{certificate} names no host to be shown for: get one with subject alternative names"
        ) from None
    return tuple(found.value.get_values_for_type(x509.DNSName))


def make_self_signed(certificate: Path, key: Path, names: Sequence[str], now: dt.datetime) -> None:
    """Write a new key, readable by its owner only, and a certificate for `names`; raises OSError."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # phones whose clock is not set yet
        .not_valid_after(now + dt.timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([_general_name(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    encoded = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, encoded, 0o600)
    _write(certificate, signed.public_bytes(serialization.Encoding.PEM), 0o644)


def own_names(sip: SipSettings) -> list[str]:
    """What phones may call this server: its host name, the external address, the addresses it listens on."""
    listened = [where.host for where in (*sip.tls, *sip.wss) if where.host not in ("*", "0.0.0.0", "::")]
    host = socket.gethostname()
    names = [*([sip.external] if sip.external else []), host, "localhost", *listened, "127.0.0.1", "::1"]
    return list(dict.fromkeys(name for name in names if name.isascii() and name))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _read_certificate(path: Path, keys: str = "[sip] certificate and key") -> x509.Certificate:
    """The first certificate of the file: the one that is shown."""
    try:
        return x509.load_pem_x509_certificates(_read(path, "certificate"))[0]
    except ValueError:
        raise ControlError(f"{path} holds no certificate in PEM form: change {keys} in the settings") from None


def _read_key(path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(_read(path, "key"), password=None)
    except TypeError:
        raise ControlError(
            f"the key {path} is protected by a password that nobody can type at the start: "
            f"write it without one (openssl pkey -in {path.name} -out plain.pem)"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ControlError(f"{path} holds no private key in PEM form: {_WHERE}") from None


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ControlError(f"the {what} {path} cannot be read: {error.strerror}; {_WHERE}") from None


def _unusable(certificate: Path, error: OSError) -> str:
    why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return f"the certificate {certificate} and its key cannot be used ({why}): {_WHERE}"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _write(path: Path, data: bytes, mode: int) -> None:
    """All or nothing."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
