# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""What a request says at a glance, and answers made of its octets. Reference: `sipcore/glance_ref.py`."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp, memcpy

from sipcore.usual cimport Sent, Span, TOKEN, Text, is_cseq, line_end, read_address, read_sent, read_uri, run, text_of

cdef enum:
    MOST_HEAD = 16384
    MOST_FIELDS = 256
    MOST_COPIED = 24
    MOST_NAMES = 512
    MOST_NAME = 24

cdef enum:
    OTHER
    VIA
    FROM
    TO
    CALL_ID
    CSEQ
    LENGTH
    HOPS
    CREDENTIALS
    REQUIRE
    AGENT
    KINDS


cdef struct Name:
    char[MOST_NAME] text
    Py_ssize_t size
    int kind

cdef Name[32] NAMES
cdef int NAMES_KNOWN = 0
cdef Span[KINDS] PRINTED
cdef tuple LINES = (b"Via: ", b"From: ", b"Call-ID: ", b"CSeq: ")


cdef void fill() except *:
    global NAMES_KNOWN
    cdef bytes line
    for kind, names in (
        (VIA, b"v via"), (FROM, b"f from"), (TO, b"t to"), (CALL_ID, b"i call-id"), (CSEQ, b"cseq"),
        (LENGTH, b"l content-length"), (HOPS, b"max-forwards"), (CREDENTIALS, b"authorization proxy-authorization"),
        (REQUIRE, b"require proxy-require"), (AGENT, b"user-agent"),
    ):
        for name in names.split():
            memcpy(NAMES[NAMES_KNOWN].text, PyBytes_AS_STRING(name), len(name))
            NAMES[NAMES_KNOWN].size, NAMES[NAMES_KNOWN].kind = len(name), kind
            NAMES_KNOWN += 1
    for kind, line in zip((VIA, FROM, CALL_ID, CSEQ), LINES):
        PRINTED[<int>kind] = Span(<Text>PyBytes_AS_STRING(line), len(line))


fill()


cdef inline uint8_t lower(uint8_t octet) noexcept nogil:
    return octet + 32 if 65 <= octet <= 90 else octet


cdef int kind_of(Text at, Py_ssize_t size) noexcept nogil:
    cdef int index
    cdef Py_ssize_t place
    for index in range(NAMES_KNOWN):
        if NAMES[index].size != size:
            continue
        place = 0
        while place < size and lower(at[place]) == <uint8_t>NAMES[index].text[place]:
            place += 1
        if place == size:
            return NAMES[index].kind
    return OTHER


cdef inline bint is_number(Span* span, int most) noexcept nogil:
    cdef Py_ssize_t place
    for place in range(span.size):
        if not 48 <= span.at[place] <= 57:
            return False
    return 0 < span.size <= most


cdef class Glance:
    cdef bytes _data
    cdef readonly str method
    cdef readonly bint is_in_dialog
    cdef readonly bint has_credentials
    cdef readonly bint is_plain
    cdef int _count
    cdef int[MOST_COPIED] _kinds
    cdef Span[MOST_COPIED] _values
    cdef Span[KINDS] _first
    cdef Sent _sent

    def __init__(self):
        raise TypeError("made by glance()")

    @property
    def key(self):
        cdef Sent* sent = &self._sent
        return (
            text_of(sent.branch.at, sent.branch.size),
            text_of(sent.host.at, sent.host.size),
            text_of(sent.port.at, sent.port.size),
            self.method,
        )

    @property
    def call_id(self):
        return text_of(self._first[CALL_ID].at, self._first[CALL_ID].size)

    def names(self, tuple signatures):
        cdef uint8_t[MOST_NAMES] text
        cdef Py_ssize_t size
        cdef int kind
        for kind in (AGENT, FROM):
            size = small(&self._first[kind], text)
            if size and holds(text, size, signatures):
                return True
        return False

    cdef bint _lead(self, str host, int port, bint reliable):
        """Whether a response goes back to where the request came from (RFC 3261 §18.2.2, RFC 3581 §4)."""
        cdef Sent* sent = &self._sent
        if sent.rport.at != NULL or reliable or host != text_of(sent.host.at, sent.host.size):
            return True
        return port == (5060 if not sent.port.size else int(text_of(sent.port.at, sent.port.size)))

    def answer(self, flow, bytes start, bytes tag, bytes extra):
        cdef str host
        cdef int port
        cdef bytes source
        host, port = flow.remote
        if not self._lead(host, port, flow.reliable):
            return None
        if self._sent.rport.at != NULL:
            source = f"={port};received={host}\r\n".encode()
        elif host != text_of(self._sent.host.at, self._sent.host.size):
            source = f";received={host}\r\n".encode()
        else:
            source = b"\r\n"
        return self._joined(start, source, tag, extra)

    cdef bytes _joined(self, bytes start, bytes source, bytes tag, bytes extra):
        cdef Py_ssize_t size
        cdef int index
        cdef bytes out
        cdef char* at
        size = PyBytes_GET_SIZE(start) + PyBytes_GET_SIZE(source) + PyBytes_GET_SIZE(tag) + PyBytes_GET_SIZE(extra)
        size += self._first[TO].size + 11 + 23  # b"To: ;tag=\r\n", b"Content-Length: 0\r\n\r\n" and start's line end
        for index in range(self._count):
            size += PRINTED[self._kinds[index]].size + self._values[index].size + (2 if index != self._top() else 0)
        out = PyBytes_FromStringAndSize(NULL, size)
        at = put(PyBytes_AS_STRING(out), <Text>PyBytes_AS_STRING(start), PyBytes_GET_SIZE(start))
        at = put(at, <Text>b"\r\n", 2)
        for index in range(self._count):
            at = put(at, PRINTED[self._kinds[index]].at, PRINTED[self._kinds[index]].size)
            at = put(at, self._values[index].at, self._values[index].size)
            if index == self._top():
                at = put(at, <Text>PyBytes_AS_STRING(source), PyBytes_GET_SIZE(source))
            else:
                at = put(at, <Text>b"\r\n", 2)
        at = put(at, <Text>b"To: ", 4)
        at = put(at, self._first[TO].at, self._first[TO].size)
        at = put(at, <Text>b";tag=", 5)
        at = put(at, <Text>PyBytes_AS_STRING(tag), PyBytes_GET_SIZE(tag))
        at = put(at, <Text>b"\r\n", 2)
        at = put(at, <Text>PyBytes_AS_STRING(extra), PyBytes_GET_SIZE(extra))
        put(at, <Text>b"Content-Length: 0\r\n\r\n", 21)
        return out

    cdef inline int _top(self) noexcept nogil:
        """The place of the first Via."""
        cdef int index = 0
        while self._kinds[index] != VIA:
            index += 1
        return index


cdef inline char* put(char* at, Text what, Py_ssize_t size) noexcept nogil:
    memcpy(at, what, size)
    return at + size


cdef Py_ssize_t small(Span* value, uint8_t* text) noexcept nogil:
    """The value up to its first semicolon in small letters, and how long that is."""
    cdef Py_ssize_t size = 0
    while size < value.size and size < MOST_NAMES and value.at[size] != 59:
        text[size] = lower(value.at[size])
        size += 1
    return size


cdef bint holds(const uint8_t* text, Py_ssize_t size, tuple signatures):
    cdef const char* wanted
    cdef Py_ssize_t length
    cdef const uint8_t* at
    cdef const uint8_t* end = text + size
    for signature in signatures:
        wanted, length = PyBytes_AS_STRING(signature), PyBytes_GET_SIZE(signature)
        at = text
        while end - at >= length:
            at = <const uint8_t*>memchr(at, wanted[0], end - at - length + 1)
            if at == NULL:
                break
            if memcmp(at, wanted, length) == 0:
                return True
            at += 1
    return False


cdef bint read_start(Text at, Text end, Span* method) noexcept nogil:
    """A method and a sip URI; anything else is for others to look at."""
    method.at = at
    at = run(at, end, TOKEN)
    method.size = at - method.at
    if not method.size or at == end or at[0] != 32:
        return False
    at = read_uri(at + 1, end)
    return at != NULL and end - at == 8 and memcmp(at, b" SIP/2.0", 8) == 0


cdef Text read_fields(Glance found, Text at, Text end) noexcept nogil:
    """Everything up to the empty line: the place after it, NULL when something is not written in the usual way."""
    cdef Text stop, colon, value, past
    cdef int kind, count = 0
    while True:
        stop = line_end(at, end)
        if stop == NULL:
            return NULL
        if stop == at:
            return at + 2
        count += 1
        colon = run(at, stop, TOKEN)
        if count > MOST_FIELDS or colon == stop or colon == at or colon[0] != 58:
            return NULL
        kind = kind_of(at, colon - at)
        value, past = colon + 1, stop
        while value < past and value[0] == 32:
            value += 1
        while past > value and (past - 1)[0] == 32:
            past -= 1
        if found._first[kind].at == NULL:
            found._first[kind] = Span(value, past - value)
        elif kind in (FROM, TO, CALL_ID, CSEQ, LENGTH, HOPS, AGENT):
            return NULL
        if kind in (VIA, FROM, CALL_ID, CSEQ):
            if found._count == MOST_COPIED:
                return NULL
            found._kinds[found._count] = kind
            found._values[found._count] = Span(value, past - value)
            found._count += 1
        at = stop + 2


cdef bint is_usual(Glance found, Span* method, Text body, Text end) noexcept nogil:
    cdef Span tag
    cdef Span* first = found._first
    cdef Py_ssize_t length = 0, place
    if first[VIA].at == NULL or first[FROM].at == NULL or first[TO].at == NULL or first[CSEQ].at == NULL:
        return False
    if not first[CALL_ID].size or not is_cseq(
        first[CSEQ].at, first[CSEQ].at + first[CSEQ].size, method.at, method.size
    ):
        return False
    if not read_address(first[FROM].at, first[FROM].at + first[FROM].size, &tag):
        return False
    if not read_address(first[TO].at, first[TO].at + first[TO].size, &tag):
        return False
    found.is_in_dialog = tag.at != NULL
    if not is_top(&first[VIA], &found._sent):
        return False
    if first[LENGTH].at != NULL:
        if not is_number(&first[LENGTH], 9):
            return False
        for place in range(first[LENGTH].size):
            length = length * 10 + first[LENGTH].at[place] - 48
    return length <= end - body


cdef bint is_top(Span* via, Sent* sent) noexcept nogil:
    """A first Via that needs no more than something behind it: rport last or not there, no received, no overload
    control, everything printed as it stands."""
    cdef Text at = via.at
    cdef Text end = via.at + via.size
    if not read_sent(at, end, sent):
        return False
    if sent.branch.size < 8 or memcmp(sent.branch.at, b"z9hG4bK", 7) != 0:  # RFC 3261 §8.1.1.7
        return False
    at += 8
    while at < sent.host.at:
        if 97 <= at[0] <= 122:
            return False
        at += 1
    for place in range(sent.host.size):
        if 65 <= sent.host.at[place] <= 90:
            return False
    if sent.rport.at != NULL and (sent.rport.size or via.size < 6 or memcmp(end - 6, b";rport", 6) != 0):
        return False
    at = sent.host.at
    while at < end:  # a parameter that begins like one of those that others look at
        if at[0] == 59 and (begins(at + 1, end, b"received", 8) or begins(at + 1, end, b"oc", 2)):
            return False
        at += 1
    return True


cdef inline bint begins(Text at, Text end, const char* word, Py_ssize_t size) noexcept nogil:
    return end - at >= size and memcmp(at, word, size) == 0


def glance(bytes data not None):
    """See the reference."""
    cdef Text begin = <Text>PyBytes_AS_STRING(data)
    cdef Text end = begin + PyBytes_GET_SIZE(data)
    cdef Text stop = line_end(begin, end)
    cdef Text body
    cdef Span method
    cdef Glance found
    if stop == NULL or not read_start(begin, stop, &method):
        return None
    found = Glance.__new__(Glance)
    body = read_fields(found, stop + 2, end)
    if body == NULL or body - 4 - begin > MOST_HEAD or not is_usual(found, &method, body, end):
        return None
    found._data = data
    found.method = text_of(method.at, method.size)
    found.has_credentials = found._first[CREDENTIALS].at != NULL
    found.is_plain = found._first[REQUIRE].at == NULL and (
        found._first[HOPS].at == NULL or is_number(&found._first[HOPS], 4)
    )
    return found
