"""The C structs of the engine: one slot an endpoint, one shard a thread, and the records that go in and out.

Ownership: the control thread allocates slots, players and commands and frees slots and players when an event returns
them; between `ADD` and `FREED` a slot belongs to the engine thread alone. Counters are read by others without a lock.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from media.codec.coder cimport Coder
from media.codec.g711 cimport G711
from media.dsp.resample cimport Resampler
from media.engine.measures cimport Measures
from media.dsp.dtmf cimport Detector
from media.engine.posix cimport Address, pthread_mutex_t
from media.engine.reasons cimport REASONS
from media.jitter.playout cimport Playout
from media.mix.mixing cimport MOST_SAMPLES, Member, Mix, Mixer
from media.mix.talking cimport Talker
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
    CARRIED_DIGITS = 16         # besides: of the other party, while it presses them
    MAX_STEPS = 64
    MAX_PACKET_SAMPLES = 2880   # of PCM that becomes one packet: 60 ms at 48 kHz
    MAX_PAYLOAD = 1440          # of a packet that we make: with all headers no larger than an Ethernet frame
    TICKS_A_SECOND = 50
    LATE_BUCKETS = 96
    MAX_EVENTS = 65536
    MAX_COMMANDS = 262144
    TICK_NS = 20000000
    TICKS_TO_VISIT = 10     # every slot is looked after once in so many ticks
    MAX_CATCH_UP = 5        # ticks made up for after a stall; the rest is skipped


cdef enum Kind:
    # What a payload type carries, as far as the engine cares.
    UNKNOWN = 0
    EVENT
    OTHER
    AUDIO                           # that can be decoded
    COMFORT                         # noise (RFC 3389)


cdef enum Action:
    # What to do with a payload type on its way to the other side.
    NOT_CARRIED = 0
    RELAY
    TO_ALAW
    TO_ULAW


cdef enum Passes:
    # What of an endpoint goes over to another as it comes.
    SOUND_ONLY = 0
    RTP_AS_IT_IS
    DATAGRAMS


cdef enum Takes:
    # What a sender of pictures can be asked for (RFC 4585, RFC 5104).
    TAKES_PICTURE_LOST = 1
    TAKES_WHOLE_PICTURE = 2
    TAKES_LOST = 4


cdef enum PlayerKind:
    PCM
    TONES
    SHARED                          # samples whose position is that of the clock


cdef struct Speaker:                # how an endpoint is spoken to: the encoder of what we make, and when packets are due
    Coder coder
    uint8_t payload_type
    int tick_samples                # of PCM, at the coder's rate
    int packet_samples
    uint32_t packet_clock           # timestamp units of a packet
    int credit                      # samples that are due and not yet sent
    bint paused                     # the encoder had nothing to send: what comes next begins a talkspurt


cdef struct Broadcast:              # a shared source in one codec, encoded once for all who hear it
    Coder coder
    Resampler resampler             # from the rate of the samples
    const int16_t *pcm
    size_t length
    int rate
    float gain
    int packet_samples              # at the coder's rate
    uint64_t next                   # number of the packet that was not yet made
    int size[2]                     # of the last two: a tick may hold two
    uint8_t payload[2][MAX_PAYLOAD]


cdef struct ToneStep:
    uint32_t samples                # at TONE_RATE
    int count
    uint32_t increment[MAX_TONES]   # of a 32-bit phase, per sample
    float amplitude


cdef struct Player:
    int kind
    bint loop
    bint paused
    float gain
    uint64_t number                 # PlayId
    int rate                        # Hz, of what it makes
    Resampler resampler             # to the rate of the speaker, opened when they differ
    Broadcast *broadcast            # of a shared source, NULL: encoded for this listener alone
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
    uint64_t position_ms
    float gain


cdef enum DigitPhase:
    IDLE = 0
    PRESSED
    ENDING                          # the end packet is repeated
    GAP


cdef struct DigitJob:
    uint8_t event
    bint carried                    # of the other party: nobody waits for it
    bint held                       # and still pressed
    uint16_t duration_ms
    uint16_t gap_ms


cdef struct DigitSender:
    DigitJob queue[MAX_DIGITS + CARRIED_DIGITS]
    int first
    int count
    int phase
    uint32_t elapsed                # timestamp units, in the phase
    uint32_t segment                # where the segment of a long event begins
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
    bint reachable                  # there is an address to send to
    bint extended                   # the peer wants VoIP Metrics (RFC 3611)
    bint keeps_digits               # what it presses reaches nobody else
    int takes                       # of `Takes`
    int ptime_ms
    int64_t silence_ns              # what is told as silence, 0 never
    float ie                        # of the E-model: what the codec costs
    float bpl                       # and how it stands loss
    int event_type                  # -1: not negotiated
    int audio_type                  # preferred, -1: none
    uint8_t idle_type               # of what keeps ways through NAT open
    uint8_t idle_size
    uint32_t event_rate
    uint8_t entry[128]              # payload type -> 1 + index into kind and rate
    uint8_t kind[MAX_KINDS]
    uint32_t rate[MAX_KINDS]


cdef struct Route:
    uint8_t action[128]
    uint8_t payload_type[128]


cdef struct Voice:                  # an endpoint in a room that is mixed
    Member member
    Slot *slot                      # NULL: it has left and fades out
    Room *room
    int index                       # in the room
    Playout *playout                # NULL: nothing that it sends can be decoded
    uint8_t payload_type            # of what the playout decodes
    int decoded                     # samples of a tick, at the rate of the playout
    Resampler resampler             # from there to the rate at which it is mixed
    bint watched                    # whether it talks is told
    Talker talker
    int pending                     # samples of `heard` that no packet has taken yet
    int16_t heard[MAX_PACKET_SAMPLES + MOST_SAMPLES]


cdef struct Ear:                    # hears the digits that a party sends as tones
    Coder coder                     # for as long as no voice decodes what comes
    uint8_t payload_type
    bint started
    uint16_t next_sequence
    uint32_t next_timestamp
    int64_t heard_ns
    bint silenced                   # in the tick before
    Detector detector


cdef struct Room:
    uint64_t serial
    int index                       # in the shard's list
    bint closed                     # nobody will enter any more
    bint tailored                   # somebody hears somebody otherwise than the others do
    Mixer mixer
    Voice **voices
    int count
    int capacity
    int living                      # those that have not left
    Player *player                  # heard by everybody
    uint32_t tap                    # 1 + its number when everything is recorded, else 0


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
    bint stamped                    # the kernel says when packets came
    uint64_t turn                   # of the shard, when a packet came
    int passes                      # of `Passes`
    int asked                       # feedback packets since the slot was visited last
    int64_t picture_asked_ns        # of the peer
    uint8_t pictures_asked
    Slot *peer                      # whose packets and ours go over as they come
    Voice *voice                    # in a room that is mixed
    Ear *ear                        # NULL: its digits are no tones, or nothing that it sends can be decoded
    int audio_type                  # of what the peer sends
    int64_t audio_told_ns
    int64_t heard_ns                # last packet, or when we began to expect one
    int64_t silence_told_ns
    int64_t configured_ns           # the first time
    Latch latch
    Config config
    Route route
    Reception reception
    Measures measures
    Outgoing out
    Cipher *opener
    Cipher *opener_before           # what the peer sent under its keys before may still be on the way
    int64_t opener_before_until_ns
    Cipher *sealer
    DigitReceiver digits
    uint32_t digit_rate             # of what the peer presses
    bint presses                    # its digit goes out at the other party's as one of ours
    uint32_t tap                    # 1 + its number when somebody records, else 0
    uint64_t received
    uint32_t dropped[REASONS]
    uint32_t not_carried[128]
    # what we generate
    Speaker *speaker                # NULL: nobody has needed one, or nothing that was negotiated can be encoded
    Player *player
    uint64_t generated_feed
    uint16_t generated_sequence
    uint32_t generated_timestamp
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
    SPEAK
    VOICE
    HEAR
    ROLE
    GAIN
    OPEN_ROOM
    CLOSE_ROOM
    TAP_ROOM
    PLAY_TO_ROOM
    STOP_IN_ROOM
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
    void *memory                    # of a cipher, encoder, voice or room, which is released when it is not used any more
    uint64_t number
    float gain
    int count
    uint16_t duration_ms
    uint16_t gap_ms
    uint8_t digits[MAX_DIGITS]


cdef enum EventKind:
    DIGIT
    PLAY_ENDED
    ROOM_PLAY_ENDED
    LEARNED
    TALKS
    SENDS                           # audio of another payload type than before
    SILENT
    DIGITS_SENT
    RELEASED                        # the engine does not use this memory any more
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
    const void *memory              # player that has ended, or what is released
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
    Room **rooms                    # those that are mixed
    int room_count
    int room_capacity
    Mix mix                         # of the room whose turn it is
    int64_t idle_ns                 # nothing was sent for so long: something is
    int64_t deadline_ns
    int64_t tick_ns                 # when the tick at work was due
    uint64_t turn
    bint hurries                    # more packets wait than one turn can take
    int64_t urgent_ns               # last packet that somebody waited for: it went on as it came, or is answered
    uint64_t ticks
    uint64_t first_tick             # that of this shard among all since the machine started
    uint64_t random
    uint64_t feeds                  # numbers given to generated feeds
    uint64_t packets_in
    uint64_t packets_before         # until the last tick
    uint64_t tick_packets           # in the one before that
    uint64_t packets_out
    uint64_t dropped[REASONS]
    uint64_t late[LATE_BUCKETS]
    const G711 *g711
    Ring *ring                      # to the recorder, NULL before the first recording
    float sine[1025]
    uint8_t buffer[BUFFER_SIZE + 16]
    uint8_t sealed[BUFFER_SIZE + 16 + 144]
    int16_t made[MAX_PACKET_SAMPLES]       # by a player
    int16_t spoken[MAX_PACKET_SAMPLES]     # the same at the rate of the speaker
