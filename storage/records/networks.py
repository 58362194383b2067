"""Networks that may reach the server."""

from frozen import dataclass

SERVICES = ("sip", "webrtc", "web", "api", "ssh", "icmp")


@dataclass(frozen=True, slots=True)
class NetworkFilter:
    """Who is in `network` (CIDR), and what may be reached from there (SEC-1, SEC-2): phones with their media, browsers
    that telephone, the web by people, the web by API keys, SSH, ping. Of those that have an address the one with the
    lowest `priority` decides. `is_local`: a VPN or local network, told our own address (SEC-4); `never_block`: nobody
    there is banned (SEC-5)."""

    id: str
    network: str
    name: str = ""
    priority: int = 0
    sip: bool = True
    webrtc: bool = False
    web: bool = True
    api: bool = False
    ssh: bool = False
    icmp: bool = True
    is_local: bool = False
    never_block: bool = False
    note: str = ""
