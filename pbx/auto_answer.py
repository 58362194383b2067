"""Asking a phone to answer by itself: RFC 5373, and the forms that phones understand instead."""

from pbx.addressing import bracketed


def auto_answer(host: str) -> list[tuple[str, str]]:
    """The header fields of an INVITE that a phone shall answer at once. Call-Info: Snom, Grandstream, Linksys, Cisco,
    MicroSIP, Telephone; Alert-Info: Yealink, Fanvil, Polycom, Avaya; Answer-Mode: RFC 5373 §4.2. A phone that is not
    set up for it rings."""
    return [
        ("Call-Info", f"<sip:{bracketed(host)}>;answer-after=0"),
        ("Alert-Info", f"<http://{bracketed(host)}>;info=alert-autoanswer;delay=0"),
        ("Answer-Mode", "Auto"),
    ]
