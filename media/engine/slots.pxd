"""The C structs of the engine: one slot an endpoint, one shard a thread, and the records that go in and out.

Ownership: the control thread allocates slots, players and commands and frees slots and players when an event returns
them; between `ADD` and `FREED` a slot belongs to the engine thread alone. Counters are read by others without a lock.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from media.codec.g711 cimport G711
from media.engine.posix cimport Address, pthread_mutex_t
from media.engine.reasons cimport REASONS
from media.record.ring cimport Ring
from media.rtp.control cimport CNAME_SIZE
from media.rtp.digits cimport DigitReceiver
from media.rtp.latching cimport MAX_ALLOWED, Latch
from media.rtp.outgoing cimport Outgoing
from media.rtp.reception cimport Reception
from media.srtp.cipher cimport Cipher

cdef enum:
    BUFFER_SIZE = 2048
    MAX_KINDS = 16
    MAX_TONES = 4
    MAX_DIGITS = 64
    MAX_STEPS = 64
    MAX_ENCODED = 960      # 120 ms
    ENCODED_KEPT = 16
    LATE_BUCKETS = 96
    MAX_EVENTS = 65536
    MAX_COMMANDS = 262144
    TICK_NS = 20000000
    TICKS_TO_VISIT = 10     # every slot is looked after once in so many ticks
    MAX_CATCH_UP = 5        # ticks made up for after a stall; the rest is skipped


cdef enum Kind:
    # What a payload type carries, as far as the engine cares.
    UNKNOWN = 0
    AUDIO_ULAW
    AUDIO_ALAW
    EVENT
    OTHER


cdef enum Action:
    # What to do with a payload type on its way to the other side.
    NOT_CARRIED = 0
    RELAY
    TO_ALAW
    TO_ULAW


cdef enum PlayerKind:
    PCM
    TONES
    SHARED                          # samples whose position is that of the clock


cdef struct ToneStep:
    uint32_t samples
    int count
    uint32_t increment[MAX_TONES]   # of a 32-bit phase, per sample
    float amplitude


cdef struct Player:
    int kind
    bint loop
    bint paused
    float gain
    uint64_t number                 # PlayId
    const int16_t *pcm
    size_t length
    size_t position
    int step_count
    int step
    uint32_t step_position
    uint32_t phase[MAX_TONES]
    ToneStep steps[MAX_STEPS]


cdef struct Adjustment:             # of a player; what is not `set` stays
    bint set_paused
    bint set_position
    bint set_gain
    bint paused
    size_t position
    float gain


cdef struct Encoded:                # a packet of a shared source, kept for its next listener
    const int16_t *pcm
    size_t position
    uint64_t tick
    int law
    int count
    float gain
    uint8_t payload[MAX_ENCODED]


cdef enum DigitPhase:
    IDLE = 0
    PRESSED
    ENDING                          # the end packet is repeated
    GAP


cdef struct DigitJob:
    uint8_t event
    uint16_t duration_ms
    uint16_t gap_ms


cdef struct DigitSender:
    DigitJob queue[MAX_DIGITS]
    int first
    int count
    int phase
    uint32_t elapsed                # timestamp units, in the phase
    int ends
    uint64_t feed
    uint16_t sequence


cdef struct Config:
    Address remote
    Address rtcp
    Address allowed[MAX_ALLOWED]
    int allowed_count
    bint sends
    bint receives
    bint mux
    bint secured                    # nothing goes in or out in clear
    bint pinned                     # by ICE
    int ptime_samples               # at 8000 Hz
    int play_law                    # -1: nothing that we can encode
    uint8_t play_type
    int event_type                  # -1: not negotiated
    uint32_t event_rate
    uint8_t entry[128]              # payload type -> 1 + index into kind and rate
    uint8_t kind[MAX_KINDS]
    uint32_t rate[MAX_KINDS]


cdef struct Route:
    uint8_t action[128]
    uint8_t payload_type[128]


cdef struct Slot:
    int rtp_fd
    int rtcp_fd
    uint64_t serial
    int index                       # in the shard's table
    int busy_index                  # in the shard's list of slots that every tick visits, -1 when not
    bint configured
    bint echo
    bint demux                      # STUN and DTLS come here too (RFC 7983)
    int handshakes                  # packets of these since the slot was visited last
    Slot *peer
    int64_t heard_ns                # last packet, or when we began to expect one
    bint silence_told
    Latch latch
    Config config
    Route route
    Reception reception
    Outgoing out
    Cipher *opener
    Cipher *opener_before           # what the peer sent under its keys before may still be on the way
    int64_t opener_before_until_ns
    Cipher *sealer
    DigitReceiver digits
    uint32_t tap                    # 1 + its number when somebody records, else 0
    uint64_t received
    uint32_t dropped[REASONS]
    uint32_t not_carried[128]
    # what we generate
    Player *player
    uint64_t generated_feed
    uint16_t generated_sequence
    uint32_t generated_timestamp
    int credit                      # samples not yet sent
    DigitSender sender
    # RTCP
    uint8_t cname[CNAME_SIZE]
    Address rtcp_source
    bint rtcp_learned
    int64_t rtcp_heard_ns
    int64_t rtcp_due_ns             # 0: not begun
    bint rtcp_sent
    uint64_t rtcp_packets           # of ours, when the report before the last was sent
    uint64_t rtcp_packets_before
    uint32_t last_report
    int64_t last_report_ns
    bint source_gone                # it said goodbye
    int64_t trip                    # round trip in 1/65536 s, -1 unknown
    int32_t remote_lost
    bint has_remote_lost


cdef enum CommandKind:
    ADD
    CONFIGURE
    LINK
    UNLINK
    ECHO
    PLAY
    STOP
    ADJUST
    TAP
    DIGITS
    OPENER
    SEALER
    AIM
    REMOVE


cdef struct Command:
    Command *next
    int kind
    Slot *slot
    Slot *other
    void *data                      # Config, Player, Adjustment or two Routes
    uint64_t number
    int count
    uint16_t duration_ms
    uint16_t gap_ms
    uint8_t digits[MAX_DIGITS]


cdef enum EventKind:
    DIGIT
    PLAY_ENDED
    LEARNED
    SILENT
    DIGITS_SENT
    CIPHER_DONE
    HANDSHAKE
    FREED


cdef enum PlayEnd:
    FINISHED
    STOPPED
    NO_ENCODER


cdef struct Event:
    Event *next
    int kind
    uint64_t serial
    int64_t first
    int64_t second
    Address address
    Player *player
    const void *cipher
    int size                        # of a handshake packet, which follows this record


cdef struct Shard:
    int epoll
    int timer
    int notify                      # eventfd: events are waiting
    bint stop
    pthread_mutex_t lock
    Command *commands
    Command **commands_end
    Command *taken                  # by the engine thread, not yet applied
    int command_count
    Event *events
    Event **events_end
    Event *freed                    # of slots removed in this turn
    int event_count
    bint notified
    Slot **slots
    int count
    int capacity
    Slot **busy
    int busy_count
    int64_t silence_ns
    int64_t deadline_ns
    uint64_t ticks
    uint64_t first_tick             # that of this shard among all since the machine started
    uint64_t random
    uint64_t feeds                  # numbers given to generated feeds
    uint64_t packets_in
    uint64_t packets_out
    uint64_t dropped[REASONS]
    uint64_t late[LATE_BUCKETS]
    const G711 *g711
    Ring *ring                      # to the recorder, NULL before the first recording
    float sine[1025]
    uint8_t buffer[BUFFER_SIZE + 16]
    uint8_t sealed[BUFFER_SIZE + 16 + 144]
    int16_t samples[960]
    Encoded encoded[ENCODED_KEPT]
