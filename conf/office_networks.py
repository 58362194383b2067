"""Networks that may reach the server, in `office.toml`; accounts name them by their ids."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import PlainValidator

from conf.errors import Problem
from conf.fields import network, whole_number
from conf.model import Section
from conf.networks import is_id
from conf.office_fields import Name, Note, identifier
from conf.office_values import Values, texts


def _network(value: object) -> str:
    return str(network(value))


def _id(value: object) -> str:
    found = identifier(value)
    if not is_id(found):
        raise ValueError(f'must have a letter, so that it is told from an address, not "{found}"')
    return found


class NetworkSection(Section):
    """One of `[[networks]]` (SEC-1)."""

    id: Annotated[str, PlainValidator(_id)]
    network: Annotated[str, PlainValidator(_network)]
    name: Name = ""
    priority: Annotated[int, PlainValidator(whole_number(0, 1000))] = 0
    # SEC-2: what a new one may reach.
    sip: bool = True
    webrtc: bool = False
    web: bool = True
    api: bool = False
    ssh: bool = False
    icmp: bool = True
    is_local: bool = False
    never_block: bool = False
    note: Note = ""


def problems_of_networks(values: Values) -> Iterator[Problem]:
    """Accounts name networks that exist (EXT-11)."""
    known = {id for _, id in texts(values, "networks", "id")}
    for section in ("terminals", "providers"):
        for path, found in texts(values, section, "network"):
            if is_id(found) and found not in known:
                yield Problem(
                    path, f'there is no network "{found}"; its id is needed, or addresses such as "192.168.1.0/24"'
                )
