"""The engine thread before everything else that wants the processor: a packet that waits for its turn is late. The
recorder before ordinary work: what its ring cannot hold is lost."""

import os

RECORDER_NICE = -10  # its ring holds a second of a thousand calls: the disk is to be slow, not the processor
LOWEST = 1  # of the real-time priorities: above all ordinary work, below whatever else is real-time


def ask_for_real_time() -> bool:
    """Make the calling thread a real-time one; whether that was allowed (root, CAP_SYS_NICE or RLIMIT_RTPRIO).

    Never on a machine with one processor: there signalling would starve while the engine has too much to do.
    """
    if len(os.sched_getaffinity(0)) < 2:
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(LOWEST))
    except OSError:
        return False
    return True


def ask_for_precedence() -> bool:
    """Let the calling thread go before ordinary work, behind the engine; whether that was allowed."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, min(RECORDER_NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    except OSError:
        return False
    return True
