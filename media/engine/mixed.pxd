"""Rooms that are mixed: each tick takes what every member says, and sends to each what it hears of the others.

Two members whose codecs, packet times or rates differ are such a room too. Nothing here waits for the interpreter.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport abort, realloc
from libc.string cimport memmove, memset

from media.dsp.resample cimport resample
from media.engine.hearing cimport hear, silence_tones
from media.engine.outbox cimport drop, new_event, post, released, tell
from media.engine.playing cimport next_samples
from media.engine.pressing cimport let_go
from media.engine.reasons cimport NO_CODEC, UNDECODABLE
from media.engine.slots cimport (
    COMFORT, FINISHED, ROOM_PLAY_ENDED, STOPPED, TALKS, Event, Player, Room, Shard, Slot, Speaker, Voice,
)
from media.engine.speaking cimport begin_feed, is_heard, speak
from media.jitter.packets cimport PUT_UNDECODABLE
from media.jitter.playout cimport playout_pull, playout_put
from media.mix.mixing cimport (
    GROUPS, Member, Pair, clip_all, drop_pair, drop_pairs, group_of, mix_begin, mix_hear, mix_member, mix_say, mix_total,
    rate_of, set_pair,
)
from media.mix.talking cimport power_of, talker_hears
from media.record.ring cimport Taken, ring_put
from media.rtp.header cimport Header


# --- who is in it -----------------------------------------------------------------------------------------------------


cdef inline void *roomier(void *array, int *capacity) noexcept nogil:
    """Twice as large; without a few kilobytes nothing can go on, the worker is started again."""
    cdef int wanted = 2 * capacity[0] if capacity[0] else 4
    cdef void *grown = realloc(array, wanted * sizeof(void *))
    if grown == NULL:
        abort()
    capacity[0] = wanted
    return grown


cdef inline void open_room(Shard *shard, Room *room) noexcept nogil:
    if shard.room_count == shard.room_capacity:
        shard.rooms = <Room **>roomier(shard.rooms, &shard.room_capacity)
    room.index = shard.room_count
    shard.rooms[room.index] = room
    shard.room_count += 1


cdef inline void forget_room(Shard *shard, Room *room) noexcept nogil:
    """Nobody is in it, and nobody will come."""
    shard.room_count -= 1
    shard.rooms[room.index] = shard.rooms[shard.room_count]
    shard.rooms[room.index].index = room.index
    released(shard, room)


cdef inline void enter(Room *room, Voice *voice) noexcept nogil:
    if room.count == room.capacity:
        room.voices = <Voice **>roomier(room.voices, &room.capacity)
    voice.index = room.count
    room.voices[room.count] = voice
    room.count += 1
    room.living += 1


cdef inline void remove_voice(Shard *shard, Voice *voice) noexcept nogil:
    """It has been heard for the last time."""
    cdef Room *room = voice.room
    cdef int i
    room.count -= 1
    room.voices[voice.index] = room.voices[room.count]
    room.voices[voice.index].index = voice.index
    if room.tailored:
        for i in range(room.count):
            drop_pair(&room.voices[i].member, &voice.member)
    drop_pairs(&voice.member)
    released(shard, voice)


cdef inline void succeed(Voice *before, Voice *voice) noexcept nogil:
    """The same member in another codec: whom it hears how, and who hears it how, stays."""
    cdef Room *room = voice.room
    cdef Pair *pair
    cdef int i
    voice.member.pairs, before.member.pairs = before.member.pairs, NULL
    voice.talker = before.talker
    before.member.loudness = 0
    for i in range(room.count):
        pair = room.voices[i].member.pairs
        while pair != NULL:
            if pair.source == &before.member:
                pair.source = &voice.member
            pair = pair.next


cdef inline Slot *other_of(const Slot *slot) noexcept nogil:
    """The other one of two, NULL in larger rooms."""
    cdef Room *room = slot.voice.room
    cdef Slot *other
    cdef int i
    if room.living != 2:
        return NULL
    for i in range(room.count):
        other = room.voices[i].slot
        if other != NULL and other != slot:
            return other
    return NULL


cdef inline void end_presses(Room *room) noexcept nogil:
    """Digits are carried between two only; who comes or goes ends those that are being pressed."""
    cdef Slot *slot
    cdef int i
    for i in range(room.count):
        slot = room.voices[i].slot
        if slot != NULL and slot.presses:
            slot.presses = False
            let_go(other_of(slot), 0)


cdef inline void leave_mix(Shard *shard, Slot *slot, Voice *successor) noexcept nogil:
    """What it says fades out within the next tick."""
    cdef Voice *voice = slot.voice
    end_presses(voice.room)
    slot.voice = NULL
    voice.slot = NULL
    voice.room.living -= 1
    voice.member.talks = False
    if successor != NULL and successor.room == voice.room and voice.room.tailored:
        succeed(voice, successor)
    elif voice.talker.talks:
        tell(shard, slot, TALKS, False, 0)


cdef inline void set_voice(Shard *shard, Slot *slot, Voice *voice) noexcept nogil:
    """Into a room, with another codec, or (NULL) out of it."""
    if slot.voice != NULL:
        leave_mix(shard, slot, voice)
    if voice == NULL:
        return
    end_presses(voice.room)
    slot.voice = voice
    voice.slot = slot
    enter(voice.room, voice)
    begin_feed(shard, slot)


cdef inline void set_role(Shard *shard, Slot *slot, int role) noexcept nogil:
    """1: it talks, 2: it hears, 4: whether it talks is told."""
    cdef Voice *voice = slot.voice
    if voice == NULL:
        return
    voice.member.talks, voice.member.hears = role & 1, role >> 1 & 1
    voice.watched = role >> 2 & 1
    if voice.talker.talks and not (voice.watched and voice.member.talks):
        voice.talker.talks = False
        tell(shard, slot, TALKS, False, 0)


cdef inline void set_gain(Slot *source, Slot *sink, float gain) noexcept nogil:
    if source.voice != NULL and sink.voice != NULL and source.voice.room == sink.voice.room:
        set_pair(&sink.voice.member, &source.voice.member, gain)
        sink.voice.room.tailored = True


# --- what arrives -----------------------------------------------------------------------------------------------------


cdef inline void receive_voice(
    Shard *shard, Slot *slot, const Header *h, int kind, const uint8_t *payload, int64_t now_ns
) noexcept nogil:
    cdef Voice *voice = slot.voice
    if voice.playout == NULL or (kind != COMFORT and h.payload_type != voice.payload_type):
        slot.not_carried[h.payload_type] += 1
        drop(shard, slot, NO_CODEC)   # until the control thread has brought what decodes it
        return
    if playout_put(
        voice.playout, h.sequence, h.timestamp, h.marker, payload, h.length, kind == COMFORT, now_ns
    ) == PUT_UNDECODABLE:
        drop(shard, slot, UNDECODABLE)


# --- the tick ---------------------------------------------------------------------------------------------------------


cdef inline void listen(Shard *shard, Voice *voice, int16_t *decoded) noexcept nogil:
    """For digits as tones; only somebody whose digits are tones too, and who is alone with the party, is to hear them,
    unless the party keeps them."""
    cdef Slot *slot = voice.slot
    cdef Slot *other
    cdef bint silenced = False
    hear(shard, slot, decoded, voice.decoded, voice.playout.rate)
    if slot.ear.detector.suspects:
        other = other_of(slot)
        silenced = other == NULL or other.ear == NULL or slot.config.keeps_digits
    if silenced:
        silence_tones(slot.ear, decoded, voice.decoded, voice.playout.rate)
    slot.ear.silenced = silenced


cdef inline void take(Shard *shard, Voice *voice) noexcept nogil:
    """What the member says in this tick, by the schedule of ticks: they may be late, but not their clock."""
    cdef Member *m = &voice.member
    cdef bint converts = voice.resampler.taps != 0
    cdef int16_t *decoded = &shard.made[0] if converts else &m.said[0]
    if voice.playout == NULL:
        memset(m.said, 0, m.count * sizeof(int16_t))
        return
    playout_pull(voice.playout, decoded, voice.decoded, shard.tick_ns)
    if voice.slot != NULL and voice.slot.ear != NULL:
        listen(shard, voice, decoded)
    if converts:
        resample(&voice.resampler, decoded, voice.decoded, m.said)


cdef inline void watch_talker(Shard *shard, Voice *voice) noexcept nogil:
    if not voice.watched or not voice.member.talks or voice.slot == NULL:
        return
    if talker_hears(&voice.talker, power_of(voice.member.said, voice.member.count)):
        tell(shard, voice.slot, TALKS, voice.talker.talks, 0)


cdef inline void give(Shard *shard, Voice *voice, int64_t now_ns) noexcept nogil:
    """What the member hears in this tick, in packets as long as it wants them."""
    cdef Slot *slot = voice.slot
    cdef Speaker *s = slot.speaker
    cdef int first = 0
    if s == NULL or slot.player != NULL or slot.echo or not slot.configured or s.tick_samples != voice.member.count:
        voice.pending = 0
        return
    mix_hear(&shard.mix, &voice.room.mixer, &voice.member, voice.heard + voice.pending)
    voice.pending += voice.member.count
    while voice.pending - first >= s.packet_samples:
        if is_heard(slot):
            speak(shard, slot, voice.heard + first, now_ns)
        slot.generated_timestamp += s.packet_clock
        first += s.packet_samples
    voice.pending -= first
    if first and voice.pending:
        memmove(voice.heard, voice.heard + first, voice.pending * sizeof(int16_t))


cdef inline void end_room_player(Shard *shard, Room *room, int how) noexcept nogil:
    cdef Event *event = new_event(room.serial, ROOM_PLAY_ENDED, <int64_t>room.player.number, how)
    if event != NULL:
        event.memory = room.player
    room.player = NULL
    post(shard, event)


cdef inline void play_to_room(Shard *shard, Room *room) noexcept nogil:
    """An announcement is one voice more, which everybody hears."""
    cdef Player *p = room.player
    cdef int count = p.rate // 50, made = 0
    cdef const int16_t *samples = next_samples(shard, p, count, p.rate, &made)
    mix_say(&shard.mix, group_of(p.rate), samples, count)
    if made < count:
        end_room_player(shard, room, FINISHED)


cdef inline int widest(const Shard *shard) noexcept nogil:
    """The highest rate at which something is said in this tick."""
    cdef int group = GROUPS - 1
    while group > 0 and not shard.mix.spoken[group]:
        group -= 1
    return group


cdef inline void record_room(Shard *shard, Room *room, int64_t now_ns) noexcept nogil:
    """Everything that is said, as L16 for the recorder (its payload type says the rate)."""
    cdef int group = widest(shard), count = rate_of(group) // 50, i
    cdef const int32_t *total = mix_total(&shard.mix, &room.mixer, group)
    cdef uint8_t *payload = shard.buffer
    cdef Taken taken
    clip_all(total, shard.made, count)
    for i in range(count):
        payload[2 * i] = <uint8_t>((shard.made[i] >> 8) & 0xFF)
        payload[2 * i + 1] = <uint8_t>(shard.made[i] & 0xFF)
    taken.tap, taken.serial, taken.arrived_ns = room.tap - 1, room.serial, now_ns
    taken.ssrc, taken.timestamp = group, <uint32_t>((shard.first_tick + shard.ticks) * count)
    taken.length, taken.payload_type = 2 * count, group
    ring_put(shard.ring, &taken, payload)


cdef inline void tick_room(Shard *shard, Room *room, int64_t now_ns) noexcept nogil:
    cdef Voice *voice
    cdef int i
    mix_begin(&shard.mix)
    for i in range(room.count):
        voice = room.voices[i]
        take(shard, voice)
        watch_talker(shard, voice)
        mix_member(&shard.mix, &voice.member)
    if room.player != NULL:
        play_to_room(shard, room)
    for i in range(room.count):
        if room.voices[i].slot != NULL:
            give(shard, room.voices[i], now_ns)
    if room.tap:
        record_room(shard, room, now_ns)
    for i in range(room.count - 1, -1, -1):   # backwards: the last one takes the place of who goes
        if room.voices[i].slot == NULL:
            remove_voice(shard, room.voices[i])


cdef inline void tick_rooms(Shard *shard, int64_t now_ns) noexcept nogil:
    cdef Room *room
    cdef int i
    for i in range(shard.room_count - 1, -1, -1):
        room = shard.rooms[i]
        tick_room(shard, room, now_ns)
        if room.closed and room.count == 0:
            if room.player != NULL:
                end_room_player(shard, room, STOPPED)
            forget_room(shard, room)
