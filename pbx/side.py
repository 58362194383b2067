"""What a leg asks of the way in which it speaks to its party."""

from typing import Protocol

from pbx.cause import Cause
from pbx.party import Party


class Side(Protocol):
    """How a leg speaks to its party: SIP in reality, a script in tests."""

    @property
    def sip_call_id(self) -> str: ...

    @property
    def tags(self) -> tuple[str, str]:
        """Of the dialog: ours and the party's, the latter empty while it is not known."""

    @property
    def host(self) -> str:
        """The address by which the party knows us."""

    @property
    def may_modify(self) -> bool:
        """A changed session may be offered now."""

    def ring(self, sdp: bytes) -> None:
        """Tell an incoming party that the other side rings; with `sdp` early media flows."""

    def answer(self, sdp: bytes) -> None: ...

    def reject(self, cause: Cause) -> None: ...

    def end(self, cause: Cause) -> None: ...

    def modify(self, sdp: bytes) -> None: ...

    def show(self, party: Party) -> None:
        """Who is at the other end, for what is sent from now on."""

    def announce(self) -> bool:
        """Tell the party at once who is at the other end; False when that is not possible without a new offer."""

    def accept_offer(self, sdp: bytes) -> None: ...

    def refuse_offer(self, status: int) -> None: ...

    def inform(self, digit: str) -> None:
        """Tell the party of a digit beside the audio."""
