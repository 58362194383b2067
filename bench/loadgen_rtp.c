/* loadgen_rtp: sends RTP on many streams and measures what comes back.
 *
 *   cc -O2 -o loadgen_rtp loadgen_rtp.c
 *   ./loadgen_rtp SECONDS spread|burst [SOUND...] < streams
 *
 * Each input line is a stream: LOCAL_IP LOCAL_PORT REMOTE_IP REMOTE_PORT NUMBER. One packet a stream every 20 ms, either
 * spread evenly over the 20 ms (as real phones do) or all at once (as relay_limit does).
 *
 * NUMBER -1: 172 bytes of G.711 whose payload carries the sender's number, a sequence and the time of sending; arrival
 * times are the kernel's, so the delay is that of the server and the kernel alone. NUMBER n: the packets of the n-th SOUND
 * over and over, each stream from another place; what comes back is mixed or encoded anew, so that it is only counted,
 * and by its own sequence numbers what is missing of it. A SOUND is a file: payload type and clock units of a packet,
 * then a line of hexadecimal digits for each packet.
 *
 * Prints one line of JSON. Loopback only: any other address is refused.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PACKET = 172, MAX_STREAMS = 8192, MAX_SOUNDS = 8, MAX_PAYLOAD = 1400, MAGIC = 0x5a564f4e, NUMBERED = -1 };
static const int64_t TICK_NS = 20000000, DRAIN_NS = 4000000, GRACE_NS = 300000000;

struct payload { uint32_t magic, stream, number; int64_t sent_ns; } __attribute__((packed));
struct stream { int fd, sound; uint32_t sent, heard; uint64_t *seen; int highest; };
struct sound { int payload_type, step, count; struct { int size; unsigned char data[MAX_PAYLOAD]; } *packets; };

static struct stream streams[MAX_STREAMS];
static struct sound sounds[MAX_SOUNDS];
static int count, sound_count, epoll_fd;
static uint32_t per_stream;
static float *delays_us;
static long sent, received, duplicates, strangers, send_errors, heard, missing;

static void fail(const char *why) { fprintf(stderr, "loadgen_rtp: %s\n", why); exit(1); }

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static struct sockaddr_in address(const char *host, int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &addr.sin_addr) != 1 || (ntohl(addr.sin_addr.s_addr) >> 24) != 127)
        fail("only addresses in 127.0.0.0/8 are allowed");
    return addr;
}

static void read_sound(const char *path)
{
    if (sound_count == MAX_SOUNDS) fail("too many sounds");
    struct sound *s = &sounds[sound_count++];
    FILE *file = fopen(path, "r");
    char line[2 * MAX_PAYLOAD + 2];
    if (!file || fscanf(file, "%d %d ", &s->payload_type, &s->step) != 2) fail("a sound cannot be read");
    while (fgets(line, sizeof line, file)) {
        s->packets = realloc(s->packets, (s->count + 1) * sizeof *s->packets);
        int size = strcspn(line, "\n") / 2;
        for (int i = 0; i < size; i++) sscanf(line + 2 * i, "%2hhx", &s->packets[s->count].data[i]);
        s->packets[s->count++].size = size;
    }
    if (!s->count) fail("a sound is empty");
    fclose(file);
}

static void open_stream(const char *local, int local_port, const char *remote, int remote_port, int sound)
{
    struct sockaddr_in from = address(local, local_port), to = address(remote, remote_port);
    int on = 1, size = 1 << 18, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0) fail("no more sockets: raise ulimit -n");
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(fd, (void *)&from, sizeof from) < 0 || connect(fd, (void *)&to, sizeof to) < 0) fail("bind or connect failed");
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = count};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    if (sound < NUMBERED || sound >= sound_count) fail("there is no such sound");
    streams[count++] = (struct stream){.fd = fd, .sound = sound, .highest = -1};
}

static int numbered_payload(int index, unsigned char *to)
{
    struct payload body = {MAGIC, index, streams[index].sent, clock_ns(CLOCK_REALTIME)};
    memset(to, 0xd5, PACKET - 12);
    memcpy(to, &body, sizeof body);
    return PACKET - 12;
}

static int sound_payload(int index, const struct sound *sound, unsigned char *to)
{
    int which = (streams[index].sent + 7 * index) % sound->count;
    memcpy(to, sound->packets[which].data, sound->packets[which].size);
    return sound->packets[which].size;
}

static void send_one(int index)
{
    struct stream *s = &streams[index];
    const struct sound *sound = s->sound == NUMBERED ? NULL : &sounds[s->sound];
    unsigned char packet[12 + MAX_PAYLOAD] = {0x80, sound ? sound->payload_type : 8};
    uint32_t timestamp = htonl(s->sent * (sound ? sound->step : 160)), ssrc = htonl(0x10000 + index);
    uint16_t sequence = htons(s->sent);
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &ssrc, 4);
    int size = 12 + (sound ? sound_payload(index, sound, packet + 12) : numbered_payload(index, packet + 12));
    s->sent++;
    if (send(s->fd, packet, size, 0) == size) sent++; else send_errors++;
}

static int64_t arrival_ns(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            return t.tv_sec * 1000000000LL + t.tv_nsec;
        }
    return clock_ns(CLOCK_REALTIME);
}

static void note_heard(struct stream *s, const unsigned char *packet)
{
    int sequence = packet[2] << 8 | packet[3], step = s->highest < 0 ? 1 : (int16_t)(sequence - s->highest);
    s->heard++;
    heard++;
    if (step > 0) { missing += step - 1; s->highest = sequence; }
    else missing--;  /* it comes late after all */
}

static void note(int index, const unsigned char *packet, ssize_t size, int64_t at_ns)
{
    struct payload body;
    if (size >= 12 && streams[index].sound != NUMBERED) { note_heard(&streams[index], packet); return; }
    if (size < 12 + (ssize_t)sizeof body) { strangers++; return; }
    memcpy(&body, packet + 12, sizeof body);
    if (body.magic != MAGIC || body.stream >= (uint32_t)count || body.number >= per_stream) { strangers++; return; }
    uint64_t bit = 1ULL << (body.number & 63), *word = &streams[body.stream].seen[body.number >> 6];
    if (*word & bit) { duplicates++; return; }
    *word |= bit;
    streams[index].heard++;
    delays_us[received++] = (at_ns - body.sent_ns) / 1e3f;
}

static void drain(void)
{
    struct epoll_event events[256];
    int ready;
    do {
        ready = epoll_wait(epoll_fd, events, 256, 0);
        for (int k = 0; k < ready; k++) {
            unsigned char packet[2048];
            char control[64];
            struct iovec part = {packet, sizeof packet};
            struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
            ssize_t size;
            while ((size = recvmsg(streams[events[k].data.u32].fd, &message, 0)) > 0) {
                note(events[k].data.u32, packet, size, arrival_ns(&message));
                message.msg_controllen = sizeof control;
            }
        }
    } while (ready == 256);
}

static void sleep_until(int64_t when_ns)
{
    struct timespec t = {when_ns / 1000000000LL, when_ns % 1000000000LL};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void run(int spread)
{
    int64_t start = clock_ns(CLOCK_MONOTONIC) + TICK_NS, next_drain = start + DRAIN_NS;
    int64_t total = (int64_t)per_stream * count, step = spread ? TICK_NS / count : 0;
    for (int64_t k = 0; k < total;) {
        int64_t now = clock_ns(CLOCK_MONOTONIC), due = start + (k / count) * TICK_NS + (k % count) * step;
        if (due <= now) { send_one(k++ % count); continue; }
        if (now >= next_drain) { drain(); next_drain = clock_ns(CLOCK_MONOTONIC) + DRAIN_NS; continue; }
        sleep_until(due < next_drain ? due : next_drain);
    }
    for (int64_t end = clock_ns(CLOCK_MONOTONIC) + GRACE_NS; clock_ns(CLOCK_MONOTONIC) < end; usleep(5000)) drain();
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float quantile(double part) { return received ? delays_us[(long)((received - 1) * part)] : 0; }

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 0;
    if (argc < 3 || seconds <= 0 || seconds > 60)
        fail("usage: loadgen_rtp SECONDS spread|burst [SOUND...] < streams (at most 60 s)");
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    prctl(PR_SET_TIMERSLACK, 1);
    epoll_fd = epoll_create1(0);
    char local[64], remote[64];
    int local_port, remote_port, sound;
    for (int i = 3; i < argc; i++) read_sound(argv[i]);
    while (scanf("%63s %d %63s %d %d", local, &local_port, remote, &remote_port, &sound) == 5) {
        if (count == MAX_STREAMS) fail("too many streams");
        open_stream(local, local_port, remote, remote_port, sound);
    }
    if (!count) fail("no streams given");
    per_stream = seconds * 50;
    delays_us = malloc(sizeof *delays_us * per_stream * count);
    for (int i = 0; i < count; i++) streams[i].seen = calloc(per_stream / 64 + 1, 8);
    run(!strcmp(argv[2], "spread"));
    qsort(delays_us, received, sizeof *delays_us, ascending);
    int deaf = 0;
    for (int i = 0; i < count; i++) deaf += !streams[i].heard;
    printf("{\"streams\": %d, \"sent\": %ld, \"received\": %ld, \"lost\": %ld, \"duplicates\": %ld, \"strangers\": %ld, "
           "\"send_errors\": %ld, \"heard\": %ld, \"missing\": %ld, \"deaf_streams\": %d, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}\n",
           count, sent, received, sent - received, duplicates, strangers, send_errors, heard, missing, deaf,
           quantile(0.5), quantile(0.99), quantile(0.999), quantile(1));
    return 0;
}
