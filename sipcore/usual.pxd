# What `sipcore/usual.pyx` has for those that read messages as it does.
from libc.stdint cimport uint8_t

ctypedef const uint8_t* Text

cdef enum:
    TOKEN = 1
    HOST = 2
    USER = 4
    NAME = 8  # of a parameter
    URI_VALUE = 16  # of a parameter inside a URI
    VALUE = 32  # of a parameter of a header
    WORDS = 64  # a display name without quotes
    QUOTED = 128  # inside quotes, where nothing needs a backslash

cdef struct Span:
    Text at  # NULL when it is not there
    Py_ssize_t size

cdef struct Sent:
    Span host
    Span port
    Span branch
    Span rport

cdef Text run(Text at, Text end, int kind) noexcept nogil
cdef object text_of(Text at, Py_ssize_t size)
cdef Text line_end(Text at, Text end) noexcept nogil
cdef Text read_uri(Text at, Text end) noexcept nogil
cdef bint read_address(Text at, Text end, Span* tag) noexcept nogil
cdef bint read_sent(Text at, Text end, Sent* sent) noexcept nogil
cdef bint is_cseq(Text at, Text end, Text method, Py_ssize_t size) noexcept nogil
