"""Why a sound cannot be played."""


class BadSound(Exception):
    """The file cannot be played; the message is a sentence that says why."""
