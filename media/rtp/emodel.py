"""How a conversation sounds to people, estimated from what the network does to it: the E-model (ITU-T G.107) with its
default values, where only codec, loss and delay differ. Reference of `rating.pxd`.

R goes from 0 to 93.2; MOS is what listeners would say on average, 1 (bad) to 4.4 (as good as a telephone can be). A
codec of more than telephone bandwidth is not rated above that.
"""

PERFECT_R = 93.2

# Equipment impairment Ie and robustness to loss Bpl by encoding (ITU-T G.113 appendix I). G.711 counts as with the
# concealment of its appendix I, which phones have. Not of ITU-T: G.722, Opus, iLBC and Speex are estimates.
IMPAIRMENTS: dict[str, tuple[float, float]] = {
    "PCMU": (0.0, 25.1),
    "PCMA": (0.0, 25.1),
    "G722": (0.0, 20.0),
    "OPUS": (0.0, 25.0),
    "L16": (0.0, 25.1),
    "G726-40": (2.0, 19.0),
    "G726-32": (7.0, 19.0),
    "G726-24": (25.0, 19.0),
    "G728": (7.0, 19.0),
    "G729": (11.0, 19.0),
    "G723": (15.0, 16.1),
    "GSM": (20.0, 10.0),
    "GSM-EFR": (5.0, 10.0),
    "AMR": (5.0, 10.0),
    "AMR-WB": (0.0, 10.0),
    "ILBC": (11.0, 32.0),
    "SPEEX": (11.0, 20.0),
}
UNKNOWN = (5.0, 10.0)


def impairment_of(encoding: str) -> tuple[float, float]:
    """(Ie, Bpl) of an encoding name."""
    return IMPAIRMENTS.get(encoding.upper(), UNKNOWN)


def delay_impairment(delay_ms: float) -> float:
    """Id: what the way from mouth to ear costs; hardly anything up to 177 ms."""
    return 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0)


def loss_impairment(ie: float, bpl: float, loss_percent: float, burst_ratio: float) -> float:
    """Ie,eff (G.107 §3.5). `burst_ratio`: how much longer losses in a row are than by chance, at least 1."""
    return ie + (95.0 - ie) * loss_percent / (loss_percent / burst_ratio + bpl)


def burst_ratio_of(lost: int, runs: int, total: int) -> float:
    """BurstR (G.107 §3.5): the length of losses in a row over that of random loss."""
    if not lost or lost >= total:
        return 1.0
    return max(1.0, lost / runs * (1.0 - lost / total))


def r_factor(ie_eff: float, delay_ms: float) -> float:
    return min(100.0, max(0.0, PERFECT_R - delay_impairment(delay_ms) - ie_eff))


def mos_of(r: float) -> float:
    """G.107 annex B."""
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6)
