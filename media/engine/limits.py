"""Open files: an endpoint needs two sockets, and the usual soft limit of 1024 would end at 500 of them."""

import resource


def raise_file_limit() -> int:
    """Lift the soft limit of open files to the hard one; the limit that now holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
