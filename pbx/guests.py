"""Guests (REG-17): people without an account here or at a provider, who call the address of the office (`sip:sales@…`).

They meet the inbound rules of any provider and nothing else: nobody else's number, no line to a provider. Who they are
is what they say, so they have no number that could be mistaken for somebody's, only the name that their address is.
"""

from pbx.addressing import dialled
from pbx.arrival import Arrival
from pbx.identity import calling_guest
from sipcore.message import Request
from storage.records import Provider

GUESTS = Provider("(guest)", kind="ip")  # what the history has in the place of an account; no account is called so
MOST_GUESTS = 20  # at a time: the office has to hear its customers too


def arrival_of_guest(request: Request) -> Arrival:
    """Raises `PrivacyUnavailable`."""
    return Arrival(GUESTS, dialled(request).removeprefix("+"), calling_guest(request))


def is_guest(arrival: Arrival | None) -> bool:
    return arrival is not None and arrival.provider is GUESTS
