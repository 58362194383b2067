# cython: language_level=3, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""SIP messages: ordered raw headers, decoded when asked. Reference: `sipcore/message_ref.py`.

A header is kept as (lower-case long name, value text). What a message is mostly asked for (top Via, tags, CSeq,
Call-ID) has a property that decodes once. Headers built by us may hold header objects as well as text.
"""

from functools import lru_cache

from sipcore.errors import ParseError
from sipcore.grammar import split_list
from sipcore.headers import CANONICAL as _CANONICAL, COMPACT as _COMPACT, LIST_HEADERS as _LIST_HEADERS
from sipcore.headers import Contact, CSeq, From, Route, To, Via
from sipcore.uri import OtherUri, SipUri, TelUri
from sipcore.usual import write

Uri = SipUri | TelUri | OtherUri
Sent = tuple[str, str, str, str | None]
Tags = tuple[str | None, str | None]
Facts = tuple[str | int, str, list[tuple[str, str]], dict[str, str], bytes, Sent, Tags]

cdef dict CANONICAL = dict(_CANONICAL)
cdef dict COMPACT = dict(_COMPACT)
cdef object LIST_HEADERS = frozenset(_LIST_HEADERS)
cdef object OUTLINE = frozenset(("via", "from", "to", "call-id", "cseq"))
cdef dict LOWER = {}  # of a class of header values: its name in lower case

# The same values come again and again inside a dialog, a registration, a transaction.
cdef Py_ssize_t CACHED_LENGTH = 256
cdef object _from_cached = lru_cache(maxsize=2048)(From.parse)
cdef object _to_cached = lru_cache(maxsize=2048)(To.parse)
cdef object _via_cached = lru_cache(maxsize=2048)(Via.parse)


cdef object _via(str text):
    return _via_cached(text) if len(text) <= CACHED_LENGTH else Via.parse(text)


cdef object _top_via(str text):
    cdef list values = [_via(value) for value in split_list(text)]
    if not values:
        raise ParseError("the Via is empty")
    return values[0]


cpdef str long_name(str name):
    cdef str lower
    if name in CANONICAL:
        return name
    lower = name.lower()
    return COMPACT.get(lower, lower)


cpdef str printed_name(str name):
    return CANONICAL.get(name) or name.title()


cdef class Headers:
    cdef list _items
    cdef dict _first
    cdef dict _decoded

    def __init__(self, items=(), dict first=None):
        self._items = <list>items if isinstance(items, list) else list(items)
        self._first = first
        self._decoded = None

    @property
    def items(self):
        return self._items

    cpdef dict index(self):
        cdef tuple item
        cdef dict first = self._first
        if first is None:
            first = {}
            for item in self._items:
                first.setdefault(item[0], item[1])
            self._first = first
        return first

    def __iter__(self):
        return iter(self._items)

    def __len__(self):
        return len(self._items)

    def __contains__(self, name):
        return name in self.index()

    cpdef get(self, str name):
        return self.index().get(name)

    cpdef list raw(self, str name):
        cdef tuple item
        cdef list found = []
        for item in self._items:
            if item[0] == name:
                found.append(item[1])
        return found

    cpdef list values(self, str name):
        cdef str line
        cdef list found, lines
        if name not in self.index():
            return []
        lines = self.raw(name)
        if name not in LIST_HEADERS:
            return lines
        found = []
        for line in lines:
            if "," in line:
                found += split_list(line)
            else:
                found.append(line)
        return found

    def first(self, kind):
        cdef tuple found = self.all(kind)
        return found[0] if found else None

    cpdef tuple all(self, kind):
        cdef str name
        cdef tuple found
        cdef dict cache = self._decoded
        if cache is None:
            cache = self._decoded = {}
        found = cache.get(kind)
        if found is None:
            name = LOWER.get(kind)
            if name is None:
                name = LOWER[kind] = kind.NAME.lower()
            found = ()
            if name in self.index():
                parse = kind.parse
                found = tuple([parse(text) for text in self.values(name)])
            cache[kind] = found
        return found

    def add(self, str name, value, *, bint top=False):
        cdef tuple item = (long_name(name), str(value))
        self._decoded = self._first = None
        if top:
            self._items.insert(0, item)
        else:
            self._items.append(item)

    cpdef set(self, str name, value):
        cdef str key = long_name(name), text = str(value)
        cdef list items = [], old = self._items
        cdef tuple item
        cdef bint placed = False
        for item in old:
            if item[0] != key:
                items.append(item)
            elif not placed:
                placed = True
                items.append((key, text))
        if not placed:
            items.append((key, text))
        self._decoded = self._first = None
        self._items = items

    cpdef set_top_value(self, str name, str value):
        cdef tuple item
        cdef str text
        cdef Py_ssize_t i
        self._decoded = None
        for i in range(len(self._items)):
            item = self._items[i]
            if item[0] == name:
                text = item[1]
                if "," in text:
                    value = ", ".join([value, *split_list(text)[1:]])
                self._items[i] = (name, value)
                if self._first is not None:
                    self._first[name] = value
                return

    cpdef remove(self, str name):
        self._decoded = self._first = None
        self._items = [item for item in self._items if (<tuple>item)[0] != name]

    cpdef settle(self):
        self._decoded = self._first = None

    cpdef copy(self):
        return Headers(list(self._items))

    cpdef str lines(self):
        return "".join(
            [f"{printed_name(key)}: {value}\r\n" for key, value in self._items if key != "content-length"]
        )


cdef class Message:
    cdef public Headers headers
    cdef public bytes body
    cdef tuple _sent
    cdef tuple _tags
    cdef object _via
    cdef object _from
    cdef object _to
    cdef object _cseq

    def __init__(self, Headers headers, bytes body=b"", tuple sent=None, tuple tags=None):
        self._begin(headers, body, sent, tags)

    cdef void _begin(self, Headers headers, bytes body, tuple sent, tuple tags):
        self.headers = headers
        self.body = body
        self._sent = sent
        self._tags = tags

    cdef str _required(self, str name):
        cdef object value = self.headers.index().get(name)
        if value is None:
            raise ParseError(f"no {printed_name(name)} header")
        return value

    @property
    def via(self):
        cdef str text
        if self._via is None:
            text = self._required("via")
            self._via = _top_via(text) if "," in text else _via(text)
        return self._via

    cdef tuple _top(self):
        if self._sent is None:
            via = self.via
            self._sent = (via.host, str(via.port or ""), via.branch or "", via.rport)
        return self._sent

    @property
    def sent(self):
        return self._top()

    @property
    def branch(self):
        return self._top()[2]

    @property
    def from_tag(self):
        return self._tags[0] if self._tags is not None else self.from_.tag

    @property
    def to_tag(self):
        return self._tags[1] if self._tags is not None else self.to.tag

    @property
    def from_(self):
        cdef str text
        if self._from is None:
            text = self._required("from")
            self._from = _from_cached(text) if len(text) <= CACHED_LENGTH else From.parse(text)
        return self._from

    @property
    def to(self):
        cdef str text
        if self._to is None:
            text = self._required("to")
            self._to = _to_cached(text) if len(text) <= CACHED_LENGTH else To.parse(text)
        return self._to

    @property
    def cseq(self):
        if self._cseq is None:
            self._cseq = CSeq.parse(self._required("cseq"))
        return self._cseq

    @property
    def call_id(self):
        return self._required("call-id")

    @property
    def contact(self):
        return self.headers.first(Contact)

    @property
    def content_type(self):
        cdef object text = self.headers.get("content-type")
        if text is None:
            return ""
        return text.partition(";")[0].strip().lower()

    def settle(self):
        self.headers.settle()
        self._via = self._from = self._to = self._cseq = None

    cdef bytes _encode(self, str start_line):
        cdef object data = write(start_line, self.headers._items, self.body)
        if data is not None:
            return data
        head = f"{start_line}\r\n{self.headers.lines()}Content-Length: {len(self.body)}\r\n\r\n"
        return head.encode("utf-8", "surrogateescape") + self.body


cdef class Request(Message):
    cdef public str method
    cdef public object uri

    def __init__(self, str method, uri, Headers headers, bytes body=b"", tuple sent=None, tuple tags=None):
        self._begin(headers, body, sent, tags)
        self.method = method
        self.uri = uri

    def note_source(self, str host, int port):
        cdef str text = self._required("via")
        if text.endswith(";rport") and "," not in text and "received" not in text.lower():
            # What most phones send; as text it costs a tenth.
            self.headers.set_top_value("via", f"{text}={port};received={host}")
            self._via = None
            return
        via = self.via.with_source(host, port)
        if via is not self._via:
            self.replace_via(via)

    cpdef replace_via(self, via):
        self.headers.set_top_value("via", str(via))
        self._via = via

    def routes(self):
        return self.headers.all(Route)

    def outline(self):
        cdef list kept = [item for item in self.headers._items if (<tuple>item)[0] in OUTLINE]
        return Request(self.method, self.uri, Headers(kept), b"", self._sent, self._tags)

    def __bytes__(self):
        return self._encode(f"{self.method} {self.uri} SIP/2.0")

    def __repr__(self):
        return f"<Request {self.method} {self.uri}>"


cdef class Response(Message):
    cdef public int status
    cdef public str reason

    def __init__(self, int status, str reason, Headers headers, bytes body=b"", tuple sent=None, tuple tags=None):
        self._begin(headers, body, sent, tags)
        self.status = status
        self.reason = reason

    def __bytes__(self):
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")

    def __repr__(self):
        return f"<Response {self.status} {self.reason}>"
