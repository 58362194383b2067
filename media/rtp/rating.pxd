"""The E-model for the engine (ITU-T G.107); reference: `media/rtp/emodel.py`."""

from libc.stdint cimport uint32_t


cdef inline double delay_impairment(double delay_ms) noexcept nogil:
    return 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0)


cdef inline double loss_impairment(double ie, double bpl, double loss_percent, double burst_ratio) noexcept nogil:
    return ie + (95.0 - ie) * loss_percent / (loss_percent / burst_ratio + bpl)


cdef inline double burst_ratio_of(uint32_t lost, uint32_t runs, uint32_t total) noexcept nogil:
    if lost == 0 or lost >= total:
        return 1.0
    return max(1.0, <double>lost / runs * (1.0 - <double>lost / total))


cdef inline double r_factor(double ie_eff, double delay_ms) noexcept nogil:
    return min(100.0, max(0.0, 93.2 - delay_impairment(delay_ms) - ie_eff))


cdef inline double mos_of(double r) noexcept nogil:
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6)
