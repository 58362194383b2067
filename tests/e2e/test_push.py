"""A sleeping phone is woken by a real HTTP request of a real server, and then rung."""

from pathlib import Path

from bench.wire import sdp
from tests.e2e.harness import Site, password_of, running, terminal
from tests.e2e.ua import Phone, eventually, registered
from tests.pbx.test_push import web_server

PUSH = ";pn-provider=fcm;pn-prid=device1"


class Sleeper(Phone):
    """Says in its Contact how it can be woken."""

    @property
    def contact(self) -> str:
        return super().contact.replace(">", f"{PUSH}>")


def test_a_call_wakes_a_phone_through_the_gateway(tmp_path: Path) -> None:
    people = "\n".join(terminal(number, password=password_of(number)) for number in ("201", "202"))
    with web_server(200) as (url, heard):
        site = Site.write(tmp_path, people, sip=f'push_gateway = "{url}"')
        with (
            running(site) as server,
            registered(server.address, "201", password_of("201")) as caller,
            Sleeper(server.address, "202", password_of("202")) as asleep,
        ):
            assert asleep.register().status == 200
            call = caller.dial("202")
            eventually(lambda: bool(heard), "the gateway is asked")
            asleep.expect_silence(0.5)
            assert asleep.register().status == 200
            ringing = asleep.wait_for_call()
            ringing.reply(180)
            call.expect(180)
            ringing.reply(200, sdp(("127.0.0.1", 40300)))
            call.expect(200)
            call.acknowledge()
            asleep.expect("ACK")
            call.hang_up()
            ringing.expect_hang_up()
            assert server.json("status")["push"]["sent"] == 1
    path, kind, wake = heard[0]
    assert (path, kind) == ("/wake", "application/json")
    assert (wake["provider"], wake["prid"], wake["number"], wake["caller"]) == ("fcm", "device1", "202", "201")
