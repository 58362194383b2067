"""What a call can be: every app of the server, and what stands behind which number."""

from features.terminal_call import TerminalCall
from features.test_numbers import ECHO_NUMBER, RECORDING_NUMBER, TONE_NUMBER, Echo, MilliwattTone, RecordAndPlayBack
from pbx.api import Apps, Terminal


def make_apps() -> Apps:
    """The apps of one server: those that share something longer than a call share it within."""
    return Apps(
        of_entry={Terminal: TerminalCall},
        numbers={
            ECHO_NUMBER: Echo(),
            TONE_NUMBER: MilliwattTone(),
            RECORDING_NUMBER: RecordAndPlayBack(),
        },
        services={},
    )
