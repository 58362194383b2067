"""Our registration at a registrar, against a scripted one, by literal times."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sipcore.auth.client import Account, DigestClient
from sipcore.build import response_to
from sipcore.flow import Flow
from sipcore.headers import Authorization, Contact
from sipcore.message import Request
from sipcore.register.client import Ask, ClientRegistration, Dead, Locate, RegistrationPlan, State, Step
from sipcore.uri import SipUri
from tests.support.ids import CountingIds

LOCAL = ("198.51.100.1", 5060)
ONE, TWO = Flow("UDP", LOCAL, ("192.0.2.1", 5060)), Flow("UDP", LOCAL, ("192.0.2.2", 5060))
CHALLENGE = ("WWW-Authenticate", 'Digest realm="p", nonce="n1", algorithm=SHA-256, qop="auth"')
NOW = 1000.0


class Registrar:
    """Feeds a registration: where it may go, what is answered."""

    def __init__(self, plan: RegistrationPlan | None = None, flows: Sequence[Flow] = (ONE, TWO)) -> None:
        ids = CountingIds()
        self.plan = plan or RegistrationPlan("7495", SipUri.parse("sip:provider.test"), 120)
        self.machine = ClientRegistration(self.plan, DigestClient([Account("7495", "Secret_1")], ids), ids)
        self.flows, self.now = list(flows), NOW
        self.located: list[str] = []
        self.asked: list[tuple[Request, Flow]] = []
        self.dead: list[tuple[str, float]] = []

    def take(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            match step:
                case Locate(hop):
                    self.located.append(hop.host)
                    why = "" if self.flows else 'there is no host "provider.test"'
                    self.take(self.machine.located(self.flows, why, self.now))
                case Ask(request, flow):
                    self.asked.append((request, flow))
                case Dead(flow, for_s):
                    self.dead.append((flow.remote[0], for_s))
                case _:
                    pass

    def start(self) -> "Registrar":
        self.take(self.machine.start(self.now))
        return self

    def answer(self, status: int, *extra: tuple[str, object], **named: Any) -> "Registrar":
        request, flow = self.asked[-1]
        request.headers.add("via", f"SIP/2.0/UDP {flow.sent_by};branch=z9hG4bK{len(self.asked)}", top=True)
        response = response_to(request, status, to_tag="r", extra=extra)
        self.take(self.machine.answered(request, status, response, self.now))
        return self

    def silence(self, status: int = 408) -> "Registrar":
        self.take(self.machine.answered(self.asked[-1][0], status, None, self.now))
        return self

    def granted(self, seconds: int = 120, **params: str) -> "Registrar":
        contact = Contact.parse(f"{self.asked[-1][0].contact};expires={seconds}")
        text = f"{contact}" + "".join(f';{name.replace("_", "-")}="{value}"' for name, value in params.items())
        return self.answer(200, ("Contact", text))

    def wait(self) -> float:
        """Let the next deadline come; how long that took."""
        assert self.machine.deadline is not None
        waited, self.now = self.machine.deadline - self.now, self.machine.deadline
        self.take(self.machine.on_timer(self.now))
        return waited

    @property
    def request(self) -> Request:
        return self.asked[-1][0]

    @property
    def state(self) -> State:
        return self.machine.state


def registered() -> Registrar:
    return Registrar().start().answer(401, CHALLENGE).granted()


def test_it_registers_with_its_password_and_refreshes_before_the_end() -> None:
    provider = Registrar().start()
    first = provider.request
    assert (first.method, str(first.uri), str(first.to)) == (
        "REGISTER",
        "sip:provider.test",
        "<sip:7495@provider.test>",
    )
    assert str(first.contact) == "<sip:7495@198.51.100.1:5060>"
    provider.answer(401, CHALLENGE)
    second = provider.request
    assert (second.call_id, second.cseq.number) == (first.call_id, first.cseq.number + 1)
    provider.granted(300)
    assert provider.state is State.REGISTERED
    assert 225 <= provider.wait() <= 270
    assert provider.located == ["provider.test"]
    assert [each.nc for each in provider.request.headers.all(Authorization)] == ["00000002"]
    provider.granted(300)
    assert provider.state is State.REGISTERED


def test_refreshes_of_many_are_spread() -> None:
    moments = set()
    ids = CountingIds()
    for _ in range(50):
        provider = Registrar()
        provider.machine._ids = ids
        provider.start().granted(300)
        assert provider.machine.deadline is not None
        moments.add(round(provider.machine.deadline))
    assert len(moments) > 25


def test_a_registrar_that_does_not_answer_is_followed_by_the_next_at_once() -> None:
    provider = Registrar().start().silence()
    assert provider.asked[-1][1] is TWO
    assert provider.dead == [("192.0.2.1", 60.0)]
    provider.granted()
    assert (provider.state, provider.machine.flow) == (State.REGISTERED, TWO)


def test_a_503_sends_us_on_for_as_long_as_it_says() -> None:
    provider = Registrar().start().answer(503, ("Retry-After", "7"))
    assert (provider.asked[-1][1], provider.dead) == (TWO, [("192.0.2.1", 7)])
    provider.answer(503, ("Retry-After", "1800"))
    assert provider.state is State.WAITING
    assert provider.wait() == 1800.0


def test_a_registration_whose_server_died_goes_to_another() -> None:
    provider = registered()
    provider.wait()
    assert provider.asked[-1][1] is ONE
    provider.flows = [TWO, ONE]
    provider.silence()
    assert (provider.state, provider.asked[-1][1]) == (State.ASKING, TWO)
    assert provider.located == ["provider.test"] * 2
    assert provider.machine.flow is None


@pytest.mark.row("PRV-8")
def test_retries_back_off_with_jitter_to_a_limit() -> None:
    provider = Registrar(flows=[ONE]).start()
    waits = []
    for _ in range(8):
        provider.silence()
        assert (provider.state, provider.machine.error) == (State.WAITING, "the registrar does not answer")
        waits.append(provider.wait())
    assert 2.5 <= waits[0] <= 5
    assert all(22.5 <= wait <= 45 for wait in waits[5:])
    assert len({round(wait, 1) for wait in waits[5:]}) == 3
    provider.granted().wait()
    provider.silence().silence()
    assert provider.wait() <= 5


@pytest.mark.row("PRV-8")
def test_after_hundreds_of_retries_it_asks_rarely() -> None:
    provider = Registrar(flows=[ONE]).start()
    for _ in range(201):
        provider.silence().wait()
    assert provider.silence().wait() >= 150


def test_a_host_that_is_not_found_is_looked_for_again() -> None:
    provider = Registrar(flows=[]).start()
    assert (provider.state, provider.machine.error) == (State.WAITING, 'there is no host "provider.test"')
    provider.flows = [ONE]
    provider.wait()
    assert provider.state is State.ASKING


@pytest.mark.row("PRV-8")
@pytest.mark.parametrize("status", [403, 404, 405, 501, 600, 603])
def test_what_a_person_has_to_change_is_asked_again_rarely(status: int) -> None:
    provider = Registrar().start().answer(status)
    assert provider.state is State.REJECTED
    assert str(status) in provider.machine.error
    assert 270 <= provider.wait() <= 300
    assert provider.granted().state is State.REGISTERED
    assert provider.machine.error == ""


def test_a_wrong_password_is_said_so() -> None:
    provider = Registrar().start().answer(401, CHALLENGE).answer(401, CHALLENGE)
    assert provider.state is State.REJECTED
    assert provider.machine.error == "the login or the password is wrong (401 Unauthorized)"
    assert len(provider.asked) == 2


@pytest.mark.parametrize("status", [480, 486, 500, 504])
def test_what_passes_by_itself_is_asked_again_soon(status: int) -> None:
    provider = Registrar().start().answer(status, ("Retry-After", "nonsense"))
    assert (provider.state, provider.machine.error.split()[3]) == (State.WAITING, str(status))
    assert provider.wait() <= 5


@pytest.mark.row("PRV-8")
def test_423_is_obeyed() -> None:
    provider = Registrar().start().answer(423, ("Min-Expires", "1800"))
    assert provider.request.headers.get("expires") == "1800"
    assert provider.granted(1800).state is State.REGISTERED
    assert provider.wait() >= 1350
    assert provider.request.headers.get("expires") == "1800"


@pytest.mark.parametrize("text", ["60", "nonsense", "99999999999"])
def test_a_423_that_makes_no_sense_is_a_refusal(text: str) -> None:
    assert Registrar().start().answer(423, ("Min-Expires", text)).state is State.REJECTED


def test_a_redirection_is_followed_and_forgotten_after_a_failure() -> None:
    provider = Registrar().start().answer(302, ("Contact", "<sip:other.test:5070>"))
    assert provider.located == ["provider.test", "other.test"]
    assert str(provider.request.uri) == "sip:other.test:5070"
    provider.answer(500).wait()
    assert provider.located[-1] == "provider.test"
    assert str(provider.request.uri) == "sip:provider.test"


def test_redirections_in_a_circle_end() -> None:
    provider = Registrar().start()
    for _ in range(6):
        provider.answer(302, ("Contact", "<sip:other.test>"))
    assert provider.state is State.WAITING


@pytest.mark.parametrize("contact", ["nonsense <", "<tel:123>", "*"])
def test_a_redirection_to_nowhere_is_a_failure(contact: str) -> None:
    assert Registrar().start().answer(302, ("Contact", contact)).state is State.WAITING


def test_an_outbound_proxy_gets_the_request_with_a_loose_route() -> None:
    plan = RegistrationPlan("7495", SipUri.parse("sip:provider.test"), proxy=SipUri.parse("sip:proxy.test:5080;lr"))
    provider = Registrar(plan).start()
    assert provider.located == ["proxy.test"]
    assert provider.request.headers.get("route") == "<sip:proxy.test:5080;lr>"
    assert str(provider.request.uri) == "sip:provider.test"


def test_what_the_provider_gives_for_calls_is_kept() -> None:
    plan = RegistrationPlan("7495", SipUri.parse("sip:provider.test"), instance="urn:uuid:1")
    provider = Registrar(plan).start()
    assert 'sip.instance="<urn:uuid:1>"' in (provider.request.headers.get("contact") or "")
    contact = f'{provider.request.contact};expires=90;pub-gruu="sip:7495@provider.test;gr=urn:uuid:1"'
    routes = ("Service-Route", "<sip:edge1.test;lr>, <sip:edge2.test;lr>")
    provider.answer(200, ("Contact", "<sip:7495@203.0.113.9>;expires=5"), ("Contact", contact), routes)
    assert [str(each) for each in provider.machine.service_route] == ["<sip:edge1.test;lr>", "<sip:edge2.test;lr>"]
    assert provider.machine.gruu == "sip:7495@provider.test;gr=urn:uuid:1"
    assert provider.machine.expires_at == NOW + 90


@pytest.mark.parametrize(
    ("extra", "seconds"),
    [
        ([], 120),
        ([("Expires", "600")], 600),
        ([("Expires", "nonsense")], 120),
        ([("Contact", "<sip:7495@203.0.113.9:1024>;expires=30")], 30),
        ([("Contact", "garbage<<")], 120),
        ([("Contact", "<sip:7495@203.0.113.9:1024>;expires=1")], 10),
    ],
)
def test_the_lifetime_is_found_in_what_registrars_write(extra: list[tuple[str, object]], seconds: int) -> None:
    assert Registrar().start().answer(200, *extra).machine.expires_at == NOW + seconds


# --- changes and the end --------------------------------------------------------------------------------------------


def test_a_changed_address_is_registered_at_once() -> None:
    provider = registered()
    provider.flows = [Flow("UDP", ("203.0.113.1", 5060), ONE.remote)]
    provider.take(provider.machine.restart(provider.now))
    assert str(provider.request.contact) == "<sip:7495@203.0.113.1:5060>"


def test_a_stop_takes_the_registration_back() -> None:
    provider = registered()
    provider.take(provider.machine.stop(provider.now))
    assert (provider.request.headers.get("expires"), provider.state) == ("0", State.LEAVING)
    provider.answer(401, (CHALLENGE[0], CHALLENGE[1].replace("n1", "n2") + ", stale=true")).answer(200)
    assert (provider.state, provider.machine.deadline) == (State.OFF, None)


def test_nobody_waits_long_for_the_last_answer() -> None:
    provider = registered()
    provider.take(provider.machine.stop(provider.now))
    assert provider.wait() == 2.0
    assert provider.state is State.OFF


def test_a_stop_while_the_first_request_is_under_way_takes_it_back_too() -> None:
    provider = Registrar().start()
    old = provider.request
    provider.take(provider.machine.stop(provider.now))
    assert provider.request.headers.get("expires") == "0"
    assert provider.machine.answered(old, 408, None, provider.now) == ()
    assert provider.answer(200).state is State.OFF


@pytest.mark.parametrize("before", [lambda: Registrar(flows=[]).start(), lambda: Registrar().start().answer(403)])
def test_a_stop_without_a_registration_is_the_end(before: Callable[[], Registrar]) -> None:
    provider = before()
    provider.take(provider.machine.stop(provider.now))
    assert (provider.state, provider.machine.deadline) == (State.OFF, None)


def test_over_a_connection_the_contact_says_so() -> None:
    provider = Registrar(flows=[Flow("TCP", LOCAL, ("192.0.2.1", 5060), 3)]).start()
    assert str(provider.request.contact) == "<sip:7495@198.51.100.1:5060;transport=tcp>"
