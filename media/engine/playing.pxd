"""What players make: samples of files, of sources that go on for ever, and of tones."""

from libc.stdint cimport int16_t, uint32_t
from libc.string cimport memcpy, memset

from media.dsp.resample cimport resample, resampler_open
from media.engine.slots cimport PCM, SHARED, Adjustment, Player, Shard, ToneStep

cdef enum:
    TONE_RATE = 8000


cdef inline float sine(const Shard *shard, uint32_t phase) noexcept nogil:
    """Linear interpolation in a table of 1024 steps: errors below -100 dB."""
    cdef uint32_t at = phase >> 22
    cdef float part = <float>(phase & 0x3FFFFF) * <float>(1.0 / 4194304.0)
    return shard.sine[at] + part * (shard.sine[at + 1] - shard.sine[at])


cdef inline void fill_tone(Shard *shard, Player *p, const ToneStep *step, int16_t *out, int count) noexcept nogil:
    """Phases go on from step to step, so a change of frequency does not click."""
    cdef int i, k
    cdef float value
    for i in range(count):
        value = 0
        for k in range(step.count):
            value += sine(shard, p.phase[k])
            p.phase[k] += step.increment[k]
        out[i] = <int16_t>(value * step.amplitude)


cdef inline int fill_tones(Shard *shard, Player *p, int16_t *out, int wanted) noexcept nogil:
    """How many samples were made: fewer than wanted at the end of a cadence that does not repeat."""
    cdef int made = 0, count
    cdef ToneStep *step
    while made < wanted and p.step < p.step_count:
        step = &p.steps[p.step]
        count = min(wanted - made, <int>(step.samples - p.step_position))
        fill_tone(shard, p, step, out + made, count)
        made += count
        p.step_position += count
        if p.step_position >= step.samples:
            p.step_position = 0
            p.step += 1
            if p.loop and p.step == p.step_count:
                p.step = 0
    return made


cdef inline int fill_pcm(Player *p, int16_t *out, int wanted) noexcept nogil:
    cdef int made = 0, count
    while made < wanted and p.position < p.length:
        count = <int>min(<size_t>(wanted - made), p.length - p.position)
        memcpy(out + made, p.pcm + p.position, count * sizeof(int16_t))
        made += count
        p.position += count
        if p.loop and p.position == p.length:
            p.position = 0
    return made


cdef inline void fill_at(const int16_t *pcm, size_t length, size_t position, int16_t *out, int wanted) noexcept nogil:
    """Samples from there on, again from the beginning behind the end."""
    cdef int made = 0, count
    while made < wanted:
        count = <int>min(<size_t>(wanted - made), length - position)
        memcpy(out + made, pcm + position, count * sizeof(int16_t))
        made += count
        position = 0


cdef inline void amplify(int16_t *samples, int count, float gain) noexcept nogil:
    cdef int i
    for i in range(count):
        samples[i] = <int16_t>max(-32768.0, min(32767.0, samples[i] * gain))


cdef inline int fill(Shard *shard, Player *p, int16_t *out, int wanted) noexcept nogil:
    """What the player says next; fewer than wanted at its end, which a paused one does not reach."""
    cdef int made
    if p.paused:
        memset(out, 0, wanted * sizeof(int16_t))
        return wanted
    if p.kind == PCM:
        made = fill_pcm(p, out, wanted)
    else:
        made = fill_tones(shard, p, out, wanted)
    if p.gain != 1:
        amplify(out, made, p.gain)
    return made


cdef inline const int16_t *at_rate(Shard *shard, Player *p, int wanted, int rate) noexcept nogil:
    """What has just been made (`wanted` samples of `rate` are needed), at that rate."""
    if p.rate == rate:
        return shard.made
    if p.resampler.to_rate != rate:
        resampler_open(&p.resampler, p.rate, rate)
    resample(&p.resampler, shard.made, wanted * p.rate // rate, shard.spoken)
    return shard.spoken


cdef inline const int16_t *next_samples(Shard *shard, Player *p, int wanted, int rate, int *made) noexcept nogil:
    """The next packet of the player, `wanted` samples at `rate`; `made`: how many of them it had to say."""
    cdef int count = wanted * p.rate // rate
    cdef int filled = fill(shard, p, shard.made, count)
    memset(shard.made + filled, 0, (count - filled) * sizeof(int16_t))
    made[0] = filled * rate // p.rate
    return at_rate(shard, p, wanted, rate)


cdef inline void adjust_player(Player *p, const Adjustment *change) noexcept nogil:
    if change.set_paused:
        p.paused = change.paused
    if change.set_gain:
        p.gain = change.gain
        p.broadcast = NULL   # which has the gain of before
    if change.set_position and p.kind == PCM:
        p.position = min(<size_t>(change.position_ms * p.rate // 1000), p.length)
