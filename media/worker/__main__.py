"""A media worker: `python -m media.worker --fd N`, started by `media.worker.supervisor` with its end of a socket."""

import argparse
import gc
import logging
import signal
import socket
import sys

import huge_pages
from media.engine.limits import raise_file_limit
from media.worker.protocol import ProtocolError
from media.worker.serve import Disconnected, serve, start


def main() -> int:
    parser = argparse.ArgumentParser(prog="media.worker", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the worker's end of a SOCK_SEQPACKET socket pair")
    arguments = parser.parse_args()
    logging.basicConfig(format="media worker: %(message)s")
    # Calls in progress are the server's to end: a signal to the whole group must not cut their audio first.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise_file_limit()
    return run(arguments.fd)


def run(fd: int) -> int:
    with socket.socket(fileno=fd) as link:
        link.setblocking(True)
        try:
            control = start(link)
        except (Disconnected, ProtocolError) as error:
            return _complain(error)
        gc.freeze()
        huge_pages.collapse()
        try:
            serve(link, control)
        except ProtocolError as error:
            return _complain(error)
        finally:
            control.close()
    return 0


def _complain(error: Exception) -> int:
    if str(error):
        print(f"media worker: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
