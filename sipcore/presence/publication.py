"""Event state that devices publish: the rules of RFC 3903 §6 as a pure step over the publications of one resource."""

from collections.abc import Sequence

from frozen import dataclass
from sipcore.presence.pidf_read import PublishedPresence

MOST = 10  # devices of one user


@dataclass(frozen=True, slots=True)
class Publication:
    """One published state. `source` is the device: its next first PUBLISH takes the place of what it forgot."""

    etag: str
    state: PublishedPresence
    expires_at: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class PublicationPolicy:
    """Lifetimes in seconds."""

    min_s: int = 60
    default_s: int = 1800
    max_s: int = 3600


@dataclass(frozen=True, slots=True)
class PublishResult:
    """`publications` are in force afterwards, the latest first; unchanged unless `status` is 200."""

    status: int
    publications: tuple[Publication, ...]
    lifetime_s: int = 0


def apply_publish(
    publications: Sequence[Publication],
    *,
    if_match: str | None,
    state: PublishedPresence | None,
    expires: int | None,
    etag: str,
    source: str,
    now: float,
    policy: PublicationPolicy,
) -> PublishResult:
    """One PUBLISH: initial (no `if_match`), refresh (no `state`), change, or removal (`expires` 0). `etag` is the name
    of the result."""
    alive = tuple(each for each in publications if each.expires_at > now)
    old = next((each for each in alive if each.etag == if_match), None)
    if if_match is not None and old is None:
        return PublishResult(412, alive)  # §6 step 2
    if if_match is None and state is None:
        return PublishResult(400, alive)  # §6 step 4
    if expires is not None and 0 < expires < policy.min_s:
        return PublishResult(423, alive)  # §6 step 3
    lifetime_s = policy.default_s if expires is None else min(expires, policy.max_s)
    others = tuple(each for each in alive if each is not old and (old is not None or each.source != source))
    said = state or (old.state if old is not None else PublishedPresence())
    new = (Publication(etag, said, now + lifetime_s, source),) if lifetime_s else ()
    return PublishResult(200, (*new, *others)[:MOST], lifetime_s)
