"""A queue and the world outside, over a real provider (a second Zvon): an agent's mobile, and a client called back."""

from pathlib import Path

from bench.wire import sdp
from tests.e2e.audio import RtpSocket, assert_talk, exchange, tone
from tests.e2e.conftest import CALLEE, CALLER
from tests.e2e.harness import Site, password_of, running, terminal
from tests.e2e.test_codes import follow, media_of, press
from tests.e2e.test_lines import provider, wait_for
from tests.e2e.ua import Phone, eventually, registered

MOBILE, CLIENT = "1230888", "1230777"  # as the provider has them
OFFICE = f"""
[[users]]
id = "ann"
name = "Ann"
mobile = "+7916{MOBILE}"

[[queues]]
number = "500"
agents = ["+7916{MOBILE}"]
max_wait = 0

[[queues]]
number = "501"
agents = ["401"]
max_wait = 0
caller_hears = "music"
callback = {{ key = "5", min_talk = 1 }}

[[external_numbers]]
number = "555"
provider = "telco"
target = "501"

[[outbound_routes]]
name = "Mobiles"
provider = "telco"
prefix = "7916"
rest = 7
strip = 4

[[outbound_routes]]
name = "City"
provider = "telco"
prefix = "123"
rest = 4
"""


def test_a_mobile_takes_a_caller_of_a_queue_and_a_client_outside_is_called_back(tmp_path: Path) -> None:
    accounts = [terminal("555", password=password_of("555"), max_calls=9)]
    accounts += [terminal(number, trust="127.0.0.9", max_calls=9) for number in (MOBILE, CLIENT)]
    operator = "\n".join(["number_length = 7", *accounts])
    people = "\n".join([terminal("301", trust=CALLER), terminal("401", password=password_of("401"))])
    with running(Site.write(tmp_path / "operator", operator, rtp_ports=(13000, 13099))) as telco:
        host, port = telco.address
        entry = provider(host=host, port=port, login="555", password=password_of("555"))
        with (
            running(Site.write(tmp_path / "office", f"{people}\n{entry}\n{OFFICE}", sip="qualify = 0")) as server,
            Phone(server.address, "301", host=CALLER) as caller,
            registered(telco.address, MOBILE, host="127.0.0.9") as mobile,
            registered(telco.address, CLIENT, host="127.0.0.9") as client,
            RtpSocket(CALLER) as here,
            RtpSocket("127.0.0.9", ssrc=0x55) as there,
            RtpSocket("127.0.0.9", ssrc=0x77) as outside,
            RtpSocket(CALLEE, ssrc=0x99) as desk,
        ):
            wait_for(server, "registered")
            said = server.command("explain", "301", "500").stdout
            assert f"final target: +7916{MOBILE} Ann of queue 500" in said.splitlines()[-1]
            call = caller.dial("500", here.address)
            ring = mobile.wait_for_call()
            ring.reply(200, sdp(there.address))
            mobile.expect("ACK")
            call.expect(180)
            press(there, ring.offered, "7")  # not the key
            assert len(server.json("calls")) == 1
            press(there, ring.offered, "1")
            call.expect(200, timeout_s=20.0)
            call.acknowledge()
            assert_talk((here, media_of(caller)), (there, ring.offered))
            call.hang_up()
            ring.expect_hang_up()

            call = client.dial("555", outside.address)
            call.expect(200)
            call.acknowledge()
            eventually(lambda: bool(server.json("queues")[1]["waiting"]), "the client waits: no agent is there")
            press(outside, media_of(client), "5")
            call.expect_hang_up(timeout_s=15.0)
            assert [each["number"] for each in server.json("queues")[1]["waiting"]] == [CLIENT]
            with registered(server.address, "401", password_of("401"), host=CALLEE) as agent:
                ring = agent.wait_for_call()
                ring.reply(200, sdp(desk.address))
                agent.expect("ACK")
                back = client.wait_for_call()
                back.reply(200, sdp(outside.address))
                client.expect("ACK")
                follow(agent, desk)
                eventually(lambda: server.json("calls")[0]["state"] == "talking", "both are connected")
                exchange([(desk, ring.offered, tone(300, 0.2)), (outside, back.offered, tone(300, 0.2))])
                assert_talk((desk, ring.offered), (outside, back.offered))
                back.hang_up()
                ring.expect_hang_up()
                eventually(lambda: not server.json("queues")[1]["waiting"], "the order is done")
