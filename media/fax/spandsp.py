"""libspandsp by its C functions: a T.30 fax terminal over 8 kHz audio, and the tone by which faxes call (CNG).

Loaded when first needed, never required. Everything of one terminal happens on the thread that calls it.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int, c_int16, c_void_p
from functools import cache

import numpy as np
from numpy.typing import NDArray

from frozen import dataclass

Samples = NDArray[np.int16]

LIBRARY = "libspandsp.so.2"
MISSING = "Faxes cannot be taken: the library libspandsp is not there. Install the Debian package libspandsp2."
MAX_IDENT = 20  # characters of a number on a fax
CNG = 1  # MODEM_CONNECT_TONES_FAX_CNG
MODEMS = 0x01 | 0x02 | 0x04  # V.27ter, V.29, V.17
COMPRESSIONS = 0x02 | 0x04 | 0x08  # T.4 in one and two dimensions, T.6
RESOLUTIONS = 0x01 | 0x02 | 0x04 | 0x10000 | 0x20000  # standard, fine, superfine; 8 and 16 points a mm
SIZES = 0x01 | 0x02 | 0x04 | 0x10000 | 0x20000 | 0x40000  # A4, B4 and A3, as long as the paper is
DONE = 0  # T30_ERR_OK

_PhaseE = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int)


class NoFax(Exception):
    """There is no libspandsp; the message is a sentence."""


class _Statistics(ctypes.Structure):
    """t30_stats_t; only what is read has a name of ours."""

    _fields_ = [
        ("bit_rate", c_int),
        ("has_ecm", c_int),
        ("pages_sent", c_int),
        ("pages_received", c_int),
        ("rest", c_int * 16),
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`pages` that went over whole, at `bit_rate` in the end; `station`: how the other side calls itself; `problem`:
    why it ended before its time, "" when all went well."""

    pages: int
    station: str = ""
    bit_rate: int = 0
    problem: str = ""


@cache
def library() -> ctypes.CDLL:
    """Raises `NoFax`."""
    try:
        found = ctypes.CDLL(LIBRARY)
    except OSError:
        raise NoFax(MISSING) from None
    signatures: dict[str, tuple[object, list[object]]] = {
        "fax_init": (c_void_p, [c_void_p, c_int]),
        "fax_free": (c_int, [c_void_p]),
        "fax_rx": (c_int, [c_void_p, POINTER(c_int16), c_int]),
        "fax_rx_fillin": (c_int, [c_void_p, c_int]),
        "fax_tx": (c_int, [c_void_p, POINTER(c_int16), c_int]),
        "fax_set_transmit_on_idle": (None, [c_void_p, c_int]),
        "fax_get_t30_state": (c_void_p, [c_void_p]),
        "t30_set_rx_file": (None, [c_void_p, c_char_p, c_int]),
        "t30_set_tx_file": (None, [c_void_p, c_char_p, c_int, c_int]),
        "t30_set_tx_ident": (c_int, [c_void_p, c_char_p]),
        "t30_get_rx_ident": (c_char_p, [c_void_p]),
        "t30_set_ecm_capability": (c_int, [c_void_p, c_int]),
        "t30_set_supported_modems": (c_int, [c_void_p, c_int]),
        "t30_set_supported_compressions": (c_int, [c_void_p, c_int]),
        "t30_set_supported_resolutions": (c_int, [c_void_p, c_int]),
        "t30_set_supported_image_sizes": (c_int, [c_void_p, c_int]),
        "t30_set_phase_e_handler": (None, [c_void_p, _PhaseE, c_void_p]),
        "t30_get_transfer_statistics": (None, [c_void_p, POINTER(_Statistics)]),
        "t30_terminate": (None, [c_void_p]),
        "t30_completion_code_to_str": (c_char_p, [c_int]),
        "modem_connect_tones_rx_init": (c_void_p, [c_void_p, c_int, c_void_p, c_void_p]),
        "modem_connect_tones_rx": (c_int, [c_void_p, POINTER(c_int16), c_int]),
        "modem_connect_tones_rx_get": (c_int, [c_void_p]),
        "modem_connect_tones_rx_free": (c_int, [c_void_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(found, name)
        function.restype, function.argtypes = result, arguments
    return found


class Terminal:
    """One fax call: a TIFF file is sent when we have called, received when we were; `ended` is told once, while samples
    are fed. `ident`: our number as the other side prints it."""

    def __init__(self, file: str, ended: Callable[[Outcome], None], *, ident: str = "", calls: bool = False) -> None:
        self._library, self._ended, self._calls = library(), ended, calls
        self._fax = self._library.fax_init(None, calls)
        if not self._fax:
            raise MemoryError("a fax terminal cannot be made")
        self._library.fax_set_transmit_on_idle(self._fax, 1)
        self._t30 = self._library.fax_get_t30_state(self._fax)
        self._phase_e = _PhaseE(self._has_ended)  # the library keeps its address
        self._set_up(file.encode(), ident[:MAX_IDENT].encode("ascii", "replace"))

    def _set_up(self, file: bytes, ident: bytes) -> None:
        known, t30 = self._library, self._t30
        known.t30_set_tx_ident(t30, ident)
        known.t30_set_ecm_capability(t30, 1)
        known.t30_set_supported_modems(t30, MODEMS)
        known.t30_set_supported_compressions(t30, COMPRESSIONS)
        known.t30_set_supported_resolutions(t30, RESOLUTIONS)
        known.t30_set_supported_image_sizes(t30, SIZES)
        known.t30_set_phase_e_handler(t30, self._phase_e, None)
        if self._calls:
            known.t30_set_tx_file(t30, file, -1, -1)
        else:
            known.t30_set_rx_file(t30, file, -1)

    def feed(self, samples: Samples) -> None:
        """What the other side sends, at 8 kHz."""
        copied = samples.copy()  # the library may write into it
        self._library.fax_rx(self._fax, copied.ctypes.data_as(POINTER(c_int16)), len(copied))

    def lost(self, count: int) -> None:
        """So many samples never came; time goes on."""
        self._library.fax_rx_fillin(self._fax, count)

    def make(self, count: int) -> Samples:
        """The next samples for the other side."""
        made = np.zeros(count, np.int16)
        self._library.fax_tx(self._fax, made.ctypes.data_as(POINTER(c_int16)), count)
        return made

    def outcome(self, problem: str = "") -> Outcome:
        """What there is until now."""
        statistics = _Statistics()
        self._library.t30_get_transfer_statistics(self._t30, ctypes.byref(statistics))
        station = (self._library.t30_get_rx_ident(self._t30) or b"").decode("ascii", "replace").strip()
        pages = statistics.pages_sent if self._calls else statistics.pages_received
        return Outcome(pages, station, statistics.bit_rate, problem)

    def close(self) -> None:
        """Files are complete after this. Harmless when repeated."""
        if self._fax:
            self._library.t30_terminate(self._t30)
            self._library.fax_free(self._fax)
            self._fax = None

    def _has_ended(self, t30: int, user: int, code: int) -> None:
        why = "" if code == DONE else (self._library.t30_completion_code_to_str(code) or b"").decode()
        self._ended(self.outcome(why))


class CallingTone:
    """Listens for CNG: 1100 Hz for half a second, every three seconds (T.30 §4.3.3)."""

    def __init__(self) -> None:
        self._library = library()
        self._state = self._library.modem_connect_tones_rx_init(None, CNG, None, None)

    def feed(self, samples: Samples) -> bool:
        """Whether a fax has called by now."""
        copied = samples.copy()
        self._library.modem_connect_tones_rx(self._state, copied.ctypes.data_as(POINTER(c_int16)), len(copied))
        return bool(self._library.modem_connect_tones_rx_get(self._state) == CNG)

    def close(self) -> None:
        if self._state:
            self._library.modem_connect_tones_rx_free(self._state)
            self._state = None
