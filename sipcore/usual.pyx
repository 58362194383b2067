# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: freethreading_compatible=True
"""Messages written in the usual way, read and printed in one pass. Reference: `sipcore/usual_ref.py`."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memcpy

from sipcore.header_names import CANONICAL, COMPACT

cdef extern from "Python.h":
    int PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef enum:
    MOST_PARAMS = 16
    MOST_VALUE = 1024
    MOST_PAIRS = 32

cdef uint8_t CLASS[256]
cdef dict KNOWN = {name: name.lower() for name in CANONICAL.values()} | {name: name for name in CANONICAL}
KNOWN |= COMPACT | {s.upper(): long for s, long in COMPACT.items()}
cdef dict PRINTED = {name: f"{printed}: ".encode() for name, printed in CANONICAL.items()}
ONCE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length")


cdef void fill() except *:
    cdef str alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    cdef str quoted = "".join([chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\'])
    for bit, characters in (
        (TOKEN, alphanumeric + "-.!%*_+`'~"),
        (HOST, alphanumeric + ".-_"),
        (USER, alphanumeric + "-_.!~*'()&=+$"),
        (NAME, "abcdefghijklmnopqrstuvwxyz0123456789-.+"),
        (URI_VALUE, alphanumeric + "-_.!~*'()[]/:&+$"),
        (VALUE, alphanumeric + "-.!%*_+`'~[]:/&$()@"),
        (WORDS, alphanumeric + "-.!%*_+`'~ "),
        (QUOTED, quoted),
    ):
        for character in characters:
            CLASS[ord(character)] |= bit
    for code in range(0x80, 0x100):
        CLASS[code] |= WORDS | QUOTED


fill()


cdef Text run(Text at, Text end, int kind) noexcept nogil:
    while at < end and CLASS[at[0]] & kind:
        at += 1
    return at


cdef object text_of(Text at, Py_ssize_t size):
    return PyUnicode_DecodeUTF8(<const char*>at, size, "surrogateescape")


cdef Text port(Text at, Text end, Span* found) noexcept nogil:
    """After a host: nothing, or a port. NULL when it is no usual one."""
    cdef Text start
    cdef int number = 0
    found.at, found.size = at, 0
    if at == end or at[0] != 58:  # :
        return at
    at += 1
    start = at
    while at < end and 48 <= at[0] <= 57 and at - start < 6:
        number = number * 10 + at[0] - 48
        at += 1
    if at == start or start[0] == 48 or number > 65535:
        return NULL
    found.at, found.size = start, at - start
    return at


cdef Text params(Text at, Text end, int kind, int wanted, Span* values) noexcept nogil:
    """A list of parameters up to `end` or the first character that belongs to none. Values of `tag`, `branch` and
    `rport` are put into `values` when wanted is their place, 1 to 3."""
    cdef Text name, value
    cdef Py_ssize_t size, place
    cdef int count = 0
    while at < end and at[0] == 59:  # ;
        at += 1
        count += 1
        name = at
        at = run(at, end, NAME)
        size = at - name
        if not size or count > MOST_PARAMS:
            return NULL
        value = NULL
        if at < end and at[0] == 61:  # =
            value = at + 1
            at = run(value, end, kind)
            if at == value:
                return NULL
        if not wanted:
            continue
        if size == 3 and memcmp(name, b"tag", 3) == 0:
            place = 0
        elif size == 6 and memcmp(name, b"branch", 6) == 0:
            place = 1
        elif size == 5 and memcmp(name, b"rport", 5) == 0:
            place = 2
        else:
            continue
        if values[place].at == NULL:
            values[place].at = name if value == NULL else value
            values[place].size = 0 if value == NULL else at - value
    return at


cdef Text read_uri(Text at, Text end) noexcept nogil:
    """A sip or sips URI without headers and without escapes: the place after it, NULL when it is none."""
    cdef Span ignored
    cdef Span values[3]
    cdef Text start
    if end - at < 5 or memcmp(at, b"sip", 3) != 0:
        return NULL
    at += 3
    if at[0] == 115:  # s
        at += 1
    if at[0] != 58:  # :
        return NULL
    at += 1
    start = at
    at = run(at, end, USER)
    if at < end and at[0] == 64 and at > start:  # @
        at += 1
        start = at
    else:
        at = start
    at = run(at, end, HOST)
    if at == start:
        return NULL
    at = port(at, end, &ignored)
    if at == NULL:
        return NULL
    return params(at, end, URI_VALUE, 0, values)


cdef bint read_address(Text at, Text end, Span* tag) noexcept nogil:
    """From or To: a display name or none, a sip URI in brackets, parameters."""
    cdef Span values[3]
    values[0].at = values[1].at = values[2].at = NULL
    if end - at > MOST_VALUE:
        return False
    if at < end and at[0] == 34:  # "
        at = run(at + 1, end, QUOTED)
        if at == end or at[0] != 34:
            return False
        at += 1
        while at < end and at[0] == 32:
            at += 1
    else:
        at = run(at, end, WORDS)
    if at == end or at[0] != 60:  # <
        return False
    at = read_uri(at + 1, end)
    if at == NULL or at == end or at[0] != 62:  # >
        return False
    at = params(at + 1, end, VALUE, 1, values)
    if at != end:
        return False
    if values[0].at != NULL and not values[0].size:
        return False
    tag[0] = values[0]
    return True


cdef bint read_sent(Text at, Text end, Sent* sent) noexcept nogil:
    """The first Via: where its host, its port and the values of its branch and rport are."""
    cdef Span values[3]
    cdef Text start
    values[0] = values[1] = values[2] = Span(NULL, 0)
    if end - at > MOST_VALUE or end - at < 12 or memcmp(at, b"SIP/2.0/", 8) != 0:
        return False
    start = at + 8
    at = run(start, end, TOKEN)
    if at == start or at == end or at[0] != 32:
        return False
    sent.host.at = at + 1
    at = run(sent.host.at, end, HOST)
    sent.host.size = at - sent.host.at
    if not sent.host.size:
        return False
    at = port(at, end, &sent.port)
    if at == NULL:
        return False
    at = params(at, end, VALUE, 1, values)
    sent.branch, sent.rport = values[1], values[2]
    return at == end


cdef object read_via(Text at, Text end):
    """(host, port, branch, rport) of the first Via: the port as text, rport None when it is absent."""
    cdef Sent sent
    if not read_sent(at, end, &sent):
        return None
    return (
        text_of(sent.host.at, sent.host.size),
        text_of(sent.port.at, sent.port.size),
        "" if sent.branch.at == NULL else text_of(sent.branch.at, sent.branch.size),
        None if sent.rport.at == NULL else text_of(sent.rport.at, sent.rport.size),
    )


cdef bint is_cseq(Text at, Text end, Text method, Py_ssize_t size) noexcept nogil:
    """A number below 2**31, a space and `method` (any when that is NULL)."""
    cdef Text start = at
    cdef long number = 0
    while at < end and 48 <= at[0] <= 57 and at - start < 10:
        number = number * 10 + at[0] - 48
        at += 1
    if at == start or number > 2147483647 or at == end or at[0] != 32:
        return False
    at += 1
    if method == NULL:
        return at < end and run(at, end, TOKEN) == end
    return end - at == size and memcmp(at, method, size) == 0


cdef object start_of(Text at, Text end, Span* method):
    """(method, Request-URI) or (status, reason phrase); None when it is no usual start line."""
    cdef Text uri
    if end - at < 12:
        return None
    if memcmp(at, b"SIP/2.0 ", 8) == 0:
        method.at = NULL
        if not (49 <= at[8] <= 54 and 48 <= at[9] <= 57 and 48 <= at[10] <= 57 and at[11] == 32):
            return None
        return (at[8] - 48) * 100 + (at[9] - 48) * 10 + at[10] - 48, text_of(at + 12, end - at - 12)
    method.at = at
    at = run(at, end, TOKEN)
    method.size = at - method.at
    if not method.size or at == end or at[0] != 32:
        return None
    uri = at + 1
    at = uri
    while at < end and 32 < at[0] < 127:
        at += 1
    if at == uri or end - at != 8 or memcmp(at, b" SIP/2.0", 8) != 0:
        return None
    return text_of(method.at, method.size), text_of(uri, at - uri)


cdef Text line_end(Text at, Text end) noexcept nogil:
    """The place of the CRLF; NULL when there is none or a control character comes first."""
    while at < end and at[0] >= 32 and at[0] != 127:
        at += 1
    return at if at + 1 < end and at[0] == 13 and at[1] == 10 else NULL


def read(bytes data, Py_ssize_t most_head, int most_fields):
    """The facts of a message (see the reference); None when any part is not written in the usual way."""
    cdef Text begin = <Text>PyBytes_AS_STRING(data)
    cdef Text end = begin + PyBytes_GET_SIZE(data)
    cdef Text at = begin, stop, colon, value, past
    cdef Span method, from_, to, cseq, via, call_id, length, tag
    cdef Py_ssize_t body = 0, rest
    cdef int count = 0, once = 0
    cdef list fields = []
    cdef dict first = {}
    cdef object name, key, content, top, from_tag, to_tag
    from_.at = to.at = cseq.at = via.at = call_id.at = length.at = NULL
    stop = line_end(at, end)
    if stop == NULL:
        return None
    start = start_of(at, stop, &method)
    if start is None:
        return None
    at = stop + 2
    while True:
        stop = line_end(at, end)
        if stop == NULL:
            return None
        if stop == at:
            break
        count += 1
        colon = run(at, stop, TOKEN)
        if count > most_fields or colon == stop or colon == at or colon[0] != 58:
            return None
        name = text_of(at, colon - at)
        key = KNOWN.get(name)
        if key is None:
            key = name.lower()
        value, past = colon + 1, stop
        while value < past and value[0] == 32:
            value += 1
        while past > value and (past - 1)[0] == 32:
            past -= 1
        content = text_of(value, past - value)
        fields.append((key, content))
        if key not in first:
            first[key] = content
            if key == "via":
                via.at, via.size = value, past - value
            elif key == "from":
                from_.at, from_.size = value, past - value
            elif key == "to":
                to.at, to.size = value, past - value
            elif key == "call-id":
                call_id.at, call_id.size = value, past - value
            elif key == "cseq":
                cseq.at, cseq.size = value, past - value
            elif key == "content-length":
                length.at, length.size = value, past - value
        elif key in ONCE:
            return None
        at = stop + 2
    if at - 2 - begin > most_head or via.at == NULL or from_.at == NULL or to.at == NULL or cseq.at == NULL:
        return None
    if call_id.at == NULL or not call_id.size:
        return None
    if not is_cseq(cseq.at, cseq.at + cseq.size, method.at, method.size):
        return None
    if not read_address(from_.at, from_.at + from_.size, &tag):
        return None
    from_tag = None if tag.at == NULL else text_of(tag.at, tag.size)
    if not read_address(to.at, to.at + to.size, &tag):
        return None
    to_tag = None if tag.at == NULL else text_of(tag.at, tag.size)
    top = read_via(via.at, via.at + via.size)
    if top is None:
        return None
    stop += 2
    rest = end - stop
    body = rest
    if length.at != NULL:
        if not length.size or length.size > 9:
            return None
        body = 0
        for index in range(length.size):
            if not 48 <= length.at[index] <= 57:
                return None
            body = body * 10 + length.at[index] - 48
        if body > rest:
            return None
    content = PyBytes_FromStringAndSize(<const char*>stop, body)
    return start[0], start[1], fields, first, content, top, (from_tag, to_tag)


def pairs(str text):
    """`name=value` pairs with commas between, names in lower case; None when they are not written in the usual way."""
    cdef Py_ssize_t size
    cdef Text at, end, name, value
    cdef int commas = 0
    cdef dict found = {}
    if not PyUnicode_IS_ASCII(text):
        return None
    at = <Text>PyUnicode_DATA(text)
    size = PyUnicode_GET_LENGTH(text)
    end = at + size
    if size > MOST_VALUE:
        return None
    for index in range(size):
        commas += at[index] == 44
    if commas > MOST_PAIRS:
        return None
    while True:
        name = at
        at = run(at, end, TOKEN)
        if at == name or at == end or at[0] != 61:  # =
            return None
        key = text_of(name, at - name).lower()
        at += 1
        if at < end and at[0] == 34:  # "
            value = at + 1
            at = run(value, end, QUOTED)
            if at == end or at[0] != 34:
                return None
            content = text_of(value, at - value)
            at += 1
        else:
            value = at
            at = run(at, end, TOKEN)
            if at == value:
                return None
            content = text_of(value, at - value)
        if key in found:
            return None
        found[key] = content
        if at == end:
            return found
        if at[0] != 44:
            return None
        at += 1
        while at < end and at[0] == 32:
            at += 1


def write(str start, list fields, bytes body):
    """A whole message: start line, fields as printed, Content-Length, body. None when it is not all ASCII."""
    cdef Py_ssize_t size = 0
    cdef bytes tail = b"Content-Length: %d\r\n\r\n" % PyBytes_GET_SIZE(body)
    cdef bytes printed, out
    cdef char* at
    cdef list names = []
    if not PyUnicode_IS_ASCII(start):
        return None
    for key, value in fields:
        if key == "content-length":
            names.append(None)
            continue
        if not isinstance(value, str) or not PyUnicode_IS_ASCII(value):
            return None
        printed = <bytes>PRINTED.get(key)
        if printed is None:
            printed = f"{key.title()}: ".encode()
        names.append(printed)
        size += PyBytes_GET_SIZE(printed) + PyUnicode_GET_LENGTH(value) + 2
    size += PyUnicode_GET_LENGTH(start) + 2 + PyBytes_GET_SIZE(tail) + PyBytes_GET_SIZE(body)
    out = PyBytes_FromStringAndSize(NULL, size)
    at = PyBytes_AS_STRING(out)
    at = put(at, <char*>PyUnicode_DATA(start), PyUnicode_GET_LENGTH(start))
    at = put(at, "\r\n", 2)
    for index in range(len(names)):
        printed = <bytes>names[index]
        if printed is None:
            continue
        value = (<tuple>fields[index])[1]
        at = put(at, PyBytes_AS_STRING(printed), PyBytes_GET_SIZE(printed))
        at = put(at, <char*>PyUnicode_DATA(value), PyUnicode_GET_LENGTH(value))
        at = put(at, "\r\n", 2)
    at = put(at, PyBytes_AS_STRING(tail), PyBytes_GET_SIZE(tail))
    put(at, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
    return out


cdef inline char* put(char* at, const char* what, Py_ssize_t size) noexcept nogil:
    memcpy(at, what, size)
    return at + size
