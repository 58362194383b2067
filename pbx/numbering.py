"""Numbers as people and phones write them."""

import re

from conf.dial_template import dialled_only
from sipcore.uri import SipUri, TelUri

_SEPARATORS = re.compile(r"[-.() \t]+")
_DIALLED = re.compile(r"\+?[0-9*#]+")


def dialled_number(user: str) -> str:
    """The number meant by the user part of a Request-URI, unescaped.

    Visual separators (RFC 3966 §5.1.1) and parameters (`;phone-context=…`, RFC 3261 §19.1.6) go; a user part that
    is no number even then is a name and stays as it is.
    """
    bare = _SEPARATORS.sub("", user.partition(";")[0])
    return bare if _DIALLED.fullmatch(bare) else user


def cleaned(number: str) -> str:
    """What rules see of a number that somebody wants to reach (FEAT-33): its digits and * # +, whatever else is in it.
    What has none of them is a name and stays as it is; parameters do not count."""
    return dialled_only(number.partition(";")[0]) or number


def number_of(uri: object) -> str:
    """The number that an address names."""
    if isinstance(uri, SipUri):
        return dialled_number(uri.user or "")
    return dialled_number(uri.number) if isinstance(uri, TelUri) else ""


def wanted_number(uri: object) -> str:
    """The number that somebody wants to reach by an address, as rules see it."""
    return cleaned(number_of(uri))
