from sipcore.message import Facts

def read(data: bytes, most_head: int, most_fields: int) -> Facts | None:
    """Method and Request-URI or status and reason; the fields, the first of each name, the body, and what `Message`
    calls `sent` and `tags`; None when any part is not written in the usual way."""

def pairs(text: str) -> dict[str, str] | None:
    """`name=value` pairs with commas between, as in credentials, names in lower case; None when they are not written in
    the usual way."""

def write(start: str, fields: list[tuple[str, str]], body: bytes) -> bytes | None:
    """A whole message with its Content-Length; None when it is not all ASCII."""
