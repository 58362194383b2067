"""Signs for callers who go outside (RFC 8224 §6.1, RFC 8588), where the settings have a key for it."""

from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from pbx.control.messages import ControlError
from pbx.stir.passport import Passport, SignedPassport, digits


class Signer:
    """One key. `x5u` is where others find its certificate; one `origid` for all calls that begin here."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, x5u: str) -> None:
        self._key, self._x5u, self._origid = key, x5u, str(uuid4())

    @classmethod
    def load(cls, key: Path, x5u: str) -> "Signer":
        """Raises ControlError."""
        try:
            found = serialization.load_pem_private_key(key.read_bytes(), password=None)
        except OSError as error:
            raise ControlError(f"the key {key} of [stir] cannot be read: {error.strerror}") from None
        except (ValueError, TypeError):
            raise ControlError(f"{key} of [stir] holds no private key in PEM form without a password") from None
        if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
            raise ControlError(f"the key {key} of [stir] is none of the curve P-256, which ES256 needs")
        return cls(found, x5u)

    def identity(self, caller: str, called: str, attest: str, wall: float) -> str:
        """The value of an Identity header; "" where one of the two is no number."""
        orig, dest = digits(caller), digits(called)
        if not orig or not dest:
            return ""
        passport = Passport(orig, (dest,), int(wall), attest, self._origid, self._x5u)
        signed = passport.signing_input()
        r, s = decode_dss_signature(self._key.sign(signed, ec.ECDSA(SHA256())))
        return str(SignedPassport(passport, signed, r.to_bytes(32, "big") + s.to_bytes(32, "big")))
