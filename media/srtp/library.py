"""libsrtp as the wheel of pylibsrtp carries it: contexts are made here, the engine calls the functions by pointer.

Imported when the first encrypted stream is made, not before. The names with an underscore are not part of pylibsrtp's
contract; `tests/media/test_srtp.py` sees when they change.
"""

import ctypes
from functools import cache
from typing import Any

from pylibsrtp import Error, _binding

from media.srtp.cipher import CipherBox
from media.srtp.suites import SUITES, Suite

_ffi: Any = _binding.ffi
_lib: Any = _binding.lib
REPLAY_WINDOW = 1024  # packets; a jitter of many seconds is no replay


@cache
def _address(name: str) -> int:
    return int(_ffi.cast("uintptr_t", _ffi.addressof(_lib, name)))


@cache
def _long_key_policy(name: str) -> Any:
    """libsrtp's own function for suites without a profile number; cffi does not know it, the linker does."""
    function = getattr(ctypes.CDLL(_binding.__file__), name)
    function.argtypes, function.restype = [ctypes.c_void_p], None
    return function


def _set_suite(policy: Any, suite: Suite) -> None:
    rtp, rtcp = _ffi.addressof(policy.rtp), _ffi.addressof(policy.rtcp)
    if suite.profile:
        _lib.srtp_crypto_policy_set_from_profile_for_rtp(rtp, suite.profile)
        _lib.srtp_crypto_policy_set_from_profile_for_rtcp(rtcp, suite.profile)
        return
    for each, tag in ((rtp, suite.name[-2:]), (rtcp, "80")):  # RFC 6188 §4.1: SRTCP has 80 bits always
        function = _long_key_policy(f"srtp_crypto_policy_set_aes_cm_256_hmac_sha1_{tag}")
        function(int(_ffi.cast("uintptr_t", each)))


def make_cipher(suite_name: str, key: bytes, *, sending: bool) -> CipherBox:
    """One direction: `key` is master key and salt. Raises ValueError for what is not of that suite."""
    suite = SUITES.get(suite_name)
    if suite is None or len(key) != suite.length:
        raise ValueError(f"{suite_name} has no key of {len(key)} bytes")
    policy = _ffi.new("srtp_policy_t *")
    _set_suite(policy, suite)
    secret = _ffi.new("unsigned char[]", key)
    policy.key = secret
    policy.ssrc.type = _lib.ssrc_any_outbound if sending else _lib.ssrc_any_inbound
    policy.window_size = REPLAY_WINDOW
    context = _ffi.new("srtp_t *")
    status = _lib.srtp_create(context, policy)
    _ffi.buffer(secret)[:] = bytes(len(key) + 1)
    if status != _lib.srtp_err_status_ok:
        raise Error(f"libsrtp cannot do {suite_name}: error {status}")
    session = _ffi.gc(context, lambda made: _lib.srtp_dealloc(made[0]))
    verb = "protect" if sending else "unprotect"
    address = int(_ffi.cast("uintptr_t", context[0]))
    return CipherBox(session, address, _address(f"srtp_{verb}"), _address(f"srtp_{verb}_rtcp"))
