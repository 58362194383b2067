# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""The mixing of a room for Python: tests hold it against `mixing_ref.py`. The engine uses the inlined functions."""

import numpy as np

from libc.stdint cimport int16_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from media.mix.talking cimport Talker, power_of, talker_hears

cdef enum:
    MOST_MEMBERS = 64


cdef class Mixing:
    """One room; members are numbered in the order in which they came."""

    cdef Mixer mixer
    cdef Mix *mix
    cdef Member *members
    cdef int count

    def __cinit__(self):
        self.mix = <Mix *>calloc(1, sizeof(Mix))
        self.members = <Member *>calloc(MOST_MEMBERS, sizeof(Member))
        if self.mix == NULL or self.members == NULL:
            raise MemoryError()

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            drop_pairs(&self.members[i])
        mixer_close(&self.mixer)
        free(self.mix)
        free(self.members)

    def add(self, int rate, bint talks=True, bint hears=True):
        """A member more; it fades in."""
        if self.count == MOST_MEMBERS or group_of(rate) < 0:
            raise ValueError(f"no place for a member at {rate} Hz")
        member_init(&self.members[self.count], rate, talks, hears)
        self.count += 1
        return self.count - 1

    def set_role(self, int member, bint talks, bint hears):
        self.members[member].talks, self.members[member].hears = talks, hears

    def set_gain(self, int source, int sink, float gain):
        set_pair(&self.members[sink], &self.members[source], gain)

    def forget(self, int source, int sink):
        """The source has gone."""
        drop_pair(&self.members[sink], &self.members[source])

    def pairs(self, int sink):
        """How many the member hears otherwise than unchanged."""
        cdef Pair *pair = self.members[sink].pairs
        cdef int found = 0
        while pair != NULL:
            found += 1
            pair = pair.next
        return found

    def tick(self, frames):
        """What everybody hears when everybody says these samples, 20 ms at the rate of each."""
        cdef const int16_t[::1] frame
        cdef int16_t[::1] out
        cdef int i
        for i in range(self.count):
            frame = frames[i]
            memcpy(self.members[i].said, &frame[0], self.members[i].count * sizeof(int16_t))
        mix_begin(self.mix)
        for i in range(self.count):
            mix_member(self.mix, &self.members[i])
        heard = [np.empty(self.members[i].count, dtype=np.int16) for i in range(self.count)]
        for i in range(self.count):
            out = heard[i]
            mix_hear(self.mix, &self.mixer, &self.members[i], &out[0])
        return heard


cdef class Talking:
    """Whether one member talks."""

    cdef Talker talker

    def __cinit__(self):
        memset(&self.talker, 0, sizeof(Talker))

    @property
    def talks(self):
        return bool(self.talker.talks)

    def hears(self, const int16_t[::1] samples not None):
        """One tick; whether that has changed."""
        return bool(talker_hears(&self.talker, power_of(&samples[0], <int>samples.shape[0])))
