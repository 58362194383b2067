"""Text as XML may hold it: escaped, without the characters that XML 1.0 §2.2 forbids."""

import re
from xml.sax.saxutils import escape

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def text(value: str) -> str:
    """Content of an element, or of an attribute in double quotes."""
    return escape(_FORBIDDEN.sub("", value), {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})
