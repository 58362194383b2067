"""Settings of the media engine."""

from frozen import dataclass


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """`first_port`…`last_port`: RTP/RTCP pairs. `workers`: processes, 0 for one per spare core; `embedded`: none.

    `idle_s`: an endpoint that sent nothing for so long sends something that keeps the way through NAT open (REG-5).
    `quarantine_s`: how long a port pair rests before another endpoint gets it. `dscp`: of every packet (46 is
    Expedited Forwarding, RFC 3246).
    """

    first_port: int = 10000
    last_port: int = 19999
    workers: int = 0
    embedded: bool = False
    idle_s: float = 30.0
    quarantine_s: float = 5.0
    dscp: int = 46
