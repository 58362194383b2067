"""The SRTP crypto suites that the engine can do, by their names in SDP (RFC 4568 §6.2, RFC 6188, RFC 7714)."""

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class Suite:
    """`key` and `salt`: lengths in bytes. `profile`: of libsrtp and of DTLS-SRTP, 0 where DTLS has none."""

    name: str
    key: int
    salt: int
    profile: int = 0

    @property
    def length(self) -> int:
        """Master key and salt together, as a=crypto carries them."""
        return self.key + self.salt


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite("AEAD_AES_256_GCM", 32, 12, 8),
        Suite("AEAD_AES_128_GCM", 16, 12, 7),
        Suite("AES_256_CM_HMAC_SHA1_80", 32, 14),
        Suite("AES_256_CM_HMAC_SHA1_32", 32, 14),
        Suite("AES_CM_128_HMAC_SHA1_80", 16, 14, 1),
        Suite("AES_CM_128_HMAC_SHA1_32", 16, 14, 2),
    )
}
