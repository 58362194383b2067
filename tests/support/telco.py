"""A provider's server on the in-memory network: answers REGISTER and OPTIONS, calls and is called."""

from sipcore.build import new_request, response_to
from sipcore.events import RequestArrived
from sipcore.headers import Contact
from sipcore.uri import SipUri
from tests.support.builders import BASIC, sdp
from tests.support.ua import Phone, PhoneCall
from tests.support.wire import Address, Wire


class Telco(Phone):
    """`statuses` are its answers to requests outside calls, by method."""

    def __init__(
        self, wire: Wire, host: str, server: Address, *, port: int = 5060, codecs: tuple[str, ...] = BASIC
    ) -> None:
        super().__init__(wire, "telco", (host, port), server, codecs=codecs)
        self.statuses = {"REGISTER": 200, "OPTIONS": 200}
        self.on_request = self._asked

    def _asked(self, event: RequestArrived) -> None:
        request = event.request
        status = self.statuses.get(request.method, 405)
        extra = []
        if request.method == "REGISTER":
            extra = [("Contact", f"{request.headers.first(Contact)};expires=3600")]
        response = response_to(request, status, to_tag="telco", extra=extra)
        self.stack.respond(event.key, response, self.driver.now())

    def call(
        self, user: str, caller: str, *, to: str = "", name: str = "", extra: tuple[tuple[str, str], ...] = ()
    ) -> PhoneCall:
        """Bring a call of `caller` for the user part `user`."""
        call = PhoneCall(self)
        uri = SipUri.parse(f"sip:{user}@{self.server[0]}")
        shown = f'"{name}" ' if name else ""
        call.invite = new_request(
            "INVITE",
            uri,
            from_=f"{shown}<sip:{caller}@{self.host}>;tag={self.stack.ids.tag()}",
            to=f"<sip:{to or user}@{self.server[0]}>",
            call_id=self.stack.ids.call_id(),
            cseq=1,
            extra=extra,
            body=sdp(self.host, self.rtp_port, self.codecs),
        )
        self.calls.append(call)
        self._send_invite(call, call.invite)
        return call
