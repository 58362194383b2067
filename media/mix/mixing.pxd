"""N-1 mixing of one tick of a room: everybody hears the sum of what the others say.

The members of one rate are a group. Each group is summed once, the sums change the rate once and not each member, and a
member hears the total at its own rate less what it said itself. Whom a member hears louder, softer or not at all stands
in its pairs. Reference: `media/mix/mixing_ref.py`.
"""

from libc.math cimport lrintf
from libc.stdint cimport int16_t, int32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from media.dsp.resample cimport Resampler, resample, resampler_open

cdef enum:
    GROUPS = 4
    MOST_SAMPLES = 960          # of a tick: 20 ms at 48 kHz


cdef struct Pair:               # what one member hears of another, when that is not what it says
    Pair *next
    Member *source
    float gain
    float wanted                # reached within a tick
    Resampler resampler         # when the source has another rate


cdef struct Member:
    int group
    int count                   # samples of a tick
    bint talks
    bint hears
    bint is_heard               # what it said is part of this tick's sum
    float loudness              # of what it says: glides to 1 or 0 within a tick
    float audibility            # of what it hears
    Pair *pairs
    int16_t said[MOST_SAMPLES + 1]


cdef struct Mixer:              # what a room keeps from tick to tick
    Resampler *across[GROUPS][GROUPS]
    bint sounding[GROUPS][GROUPS]   # the filter still holds a rest of what was said


cdef struct Mix:                # the tick of one room at a time
    bint spoken[GROUPS]
    bint ready[GROUPS]
    int32_t sum[GROUPS][MOST_SAMPLES]
    int32_t total[GROUPS][MOST_SAMPLES]
    int32_t work[MOST_SAMPLES]
    int16_t narrow[MOST_SAMPLES]
    int16_t other[MOST_SAMPLES + 1]


cdef inline int group_of(int rate) noexcept nogil:
    """-1: sound of this rate cannot be mixed."""
    if rate == 8000:
        return 0
    if rate == 16000:
        return 1
    if rate == 24000:
        return 2
    return 3 if rate == 48000 else -1


cdef inline int rate_of(int group) noexcept nogil:
    return 48000 if group == 3 else 8000 * (group + 1)


cdef inline int16_t clipped(int32_t value) noexcept nogil:
    return <int16_t>(-32768 if value < -32768 else 32767 if value > 32767 else value)


cdef inline void clip_all(const int32_t *samples, int16_t *out, int count) noexcept nogil:
    cdef int i
    for i in range(count):
        out[i] = clipped(samples[i])


cdef inline void glide(int16_t *samples, int count, float gain, float wanted) noexcept nogil:
    """From one gain to the other within these samples, so that nothing clicks."""
    cdef float step = (wanted - gain) / count
    cdef int i
    for i in range(count):
        samples[i] = clipped(<int32_t>lrintf(samples[i] * (gain + step * (i + 1))))


cdef inline void member_init(Member *m, int rate, bint talks, bint hears) noexcept nogil:
    """A newcomer: it fades in."""
    m.group = group_of(rate)
    m.count = rate // 50
    m.talks, m.hears = talks, hears


cdef inline void mix_begin(Mix *mix) noexcept nogil:
    memset(mix.spoken, 0, sizeof(mix.spoken))
    memset(mix.ready, 0, sizeof(mix.ready))


cdef inline void mix_say(Mix *mix, int group, const int16_t *samples, int count) noexcept nogil:
    """Everybody hears this."""
    cdef int32_t *total = mix.sum[group]
    cdef int i
    if not mix.spoken[group]:
        mix.spoken[group] = True
        for i in range(count):
            total[i] = samples[i]
        return
    for i in range(count):
        total[i] += samples[i]


cdef inline void mix_member(Mix *mix, Member *m) noexcept nogil:
    """Everybody else hears what it has said, which becomes as loud as it may be."""
    cdef float wanted = 1 if m.talks else 0
    m.is_heard = m.talks or m.loudness > 0
    if not m.is_heard:
        return
    if m.loudness != wanted:
        glide(m.said, m.count, m.loudness, wanted)
        m.loudness = wanted
    mix_say(mix, m.group, m.said, m.count)


cdef inline Resampler *across(Mixer *mixer, int from_group, int to_group) noexcept nogil:
    """NULL when memory is short."""
    cdef Resampler *r = mixer.across[from_group][to_group]
    if r == NULL:
        r = <Resampler *>calloc(1, sizeof(Resampler))
        if r != NULL:
            resampler_open(r, rate_of(from_group), rate_of(to_group))
            mixer.across[from_group][to_group] = r
    return r


cdef inline void add_group(Mix *mix, Mixer *mixer, int from_group, int to_group) noexcept nogil:
    """What one group says, to the total of another; after its last word the rest that is in the filter."""
    cdef Resampler *r = across(mixer, from_group, to_group)
    cdef int32_t *total = mix.total[to_group]
    cdef int count = rate_of(from_group) // 50, made, i
    if r == NULL:
        return
    if mix.spoken[from_group]:
        clip_all(mix.sum[from_group], mix.narrow, count)
    else:
        memset(mix.narrow, 0, count * sizeof(int16_t))
    mixer.sounding[from_group][to_group] = mix.spoken[from_group]
    made = resample(r, mix.narrow, count, mix.other)
    for i in range(made):
        total[i] += mix.other[i]


cdef inline const int32_t *mix_total(Mix *mix, Mixer *mixer, int group) noexcept nogil:
    """What all of them say, at the rate of a group."""
    cdef int32_t *total = mix.total[group]
    cdef int count = rate_of(group) // 50, other
    if mix.ready[group]:
        return total
    mix.ready[group] = True
    if mix.spoken[group]:
        memcpy(total, mix.sum[group], count * sizeof(int32_t))
    else:
        memset(total, 0, count * sizeof(int32_t))
    for other in range(GROUPS):
        if other != group and (mix.spoken[other] or mixer.sounding[other][group]):
            add_group(mix, mixer, other, group)
    return total


cdef inline void hear_pair(Mix *mix, Member *m, Pair *pair) noexcept nogil:
    """Put right what the sum holds of one source."""
    cdef Member *source = pair.source
    cdef const int16_t *said = source.said
    cdef float before = pair.gain - 1, step = (pair.wanted - pair.gain) / m.count
    cdef int i
    if not source.is_heard:
        memset(source.said, 0, source.count * sizeof(int16_t))
    if source.group != m.group:
        if pair.resampler.from_rate != rate_of(source.group) or pair.resampler.to_rate != rate_of(m.group):
            resampler_open(&pair.resampler, rate_of(source.group), rate_of(m.group))
        resample(&pair.resampler, said, source.count, mix.other)
        said = mix.other
    for i in range(m.count):
        mix.work[i] += <int32_t>lrintf(said[i] * (before + step * (i + 1)))
    pair.gain = pair.wanted


cdef inline void hear_pairs(Mix *mix, Member *m) noexcept nogil:
    """Those that have become usual again are forgotten."""
    cdef Pair **place = &m.pairs
    cdef Pair *pair
    while place[0] != NULL:
        pair = place[0]
        hear_pair(mix, m, pair)
        if pair.gain == 1:
            place[0] = pair.next
            free(pair)
        else:
            place = &pair.next


cdef inline void mix_hear(Mix *mix, Mixer *mixer, Member *m, int16_t *out) noexcept nogil:
    """What it hears of the others."""
    cdef const int32_t *total = mix_total(mix, mixer, m.group)
    cdef float wanted = 1 if m.hears else 0
    cdef int i
    if not m.hears and m.audibility == 0 and m.pairs == NULL:
        memset(out, 0, m.count * sizeof(int16_t))
        return
    if m.pairs == NULL and m.is_heard:
        for i in range(m.count):
            out[i] = clipped(total[i] - m.said[i])
    else:
        for i in range(m.count):
            mix.work[i] = total[i] - (m.said[i] if m.is_heard else 0)
        hear_pairs(mix, m)
        clip_all(mix.work, out, m.count)
    if m.audibility != 1 or wanted != 1:
        glide(out, m.count, m.audibility, wanted)
        m.audibility = wanted


cdef inline Pair *find_pair(Member *sink, const Member *source) noexcept nogil:
    cdef Pair *pair = sink.pairs
    while pair != NULL and pair.source != source:
        pair = pair.next
    return pair


cdef inline void set_pair(Member *sink, Member *source, float gain) noexcept nogil:
    """How `sink` hears `source` from now on."""
    cdef Pair *pair = find_pair(sink, source)
    if pair == NULL:
        if gain == 1:
            return
        pair = <Pair *>calloc(1, sizeof(Pair))
        if pair == NULL:
            return
        pair.source, pair.gain, pair.next = source, 1, sink.pairs
        sink.pairs = pair
    pair.wanted = gain


cdef inline void drop_pair(Member *sink, const Member *source) noexcept nogil:
    """`sink` hears `source` unchanged, or not at all because that has gone."""
    cdef Pair **place = &sink.pairs
    cdef Pair *pair
    while place[0] != NULL:
        pair = place[0]
        if pair.source == source:
            place[0] = pair.next
            free(pair)
            return
        place = &pair.next


cdef inline void drop_pairs(Member *sink) noexcept nogil:
    cdef Pair *pair
    while sink.pairs != NULL:
        pair = sink.pairs
        sink.pairs = pair.next
        free(pair)


cdef inline void mixer_close(Mixer *mixer) noexcept nogil:
    cdef int one, other
    for one in range(GROUPS):
        for other in range(GROUPS):
            free(mixer.across[one][other])
    memset(mixer, 0, sizeof(Mixer))
