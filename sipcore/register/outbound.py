"""What a REGISTER asks of the elements on its way: Path (RFC 3327) and flows that are kept (RFC 5626)."""

from collections.abc import Sequence

from frozen import dataclass
from sipcore.build import Extra
from sipcore.headers import Contact, Path, Via
from sipcore.message import Request


@dataclass(frozen=True, slots=True)
class Way:
    """How the phone can be reached again. `status`, if not 0, refuses the request. `is_outbound`: reg-id counts."""

    path: tuple[Path, ...] = ()
    is_outbound: bool = False
    status: int = 0
    extra: Extra = ()

    @property
    def is_first_hop(self) -> bool:
        """Nobody stands between the phone and us."""
        return not self.path


def supports(request: Request, option: str) -> bool:
    """Whether the sender understands an extension."""
    tokens = (*request.headers.values("supported"), *request.headers.values("require"))
    return any(token.strip().lower() == option for token in tokens)


def way_of(request: Request, contacts: Sequence[Contact], *, is_trusted: bool) -> Way:
    """Judge an authenticated REGISTER; `is_trusted`: the element that sent it may say how calls go (RFC 3327 §6.1:
    anybody else could have them sent anywhere). Raises ParseError."""
    path = request.headers.all(Path)
    if path and not is_trusted:
        return Way(status=420, extra=[("Unsupported", "path")])
    flows = [each for each in contacts if each.reg_id is not None and each.instance is not None]
    if not flows or not supports(request, "outbound"):
        return Way(path)
    if len([each for each in flows if each.expires != 0]) > 1:
        return Way(status=400)  # RFC 5626 §6: one flow a request
    if len(request.headers.all(Via)) > 1 and not (path and _keeps_flows(path[-1])):
        return Way(status=439)
    return Way(path, is_outbound=True)


def _keeps_flows(first_hop: Path) -> bool:
    uri = first_hop.sip_uri
    return uri is not None and "ob" in uri.params
