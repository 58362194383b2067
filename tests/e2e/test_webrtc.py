"""Calls between JsSIP in a browser (ICE, DTLS-SRTP) and a desk phone that knows nothing but RTP."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.wire import audio_of, sdp
from tests.e2e.audio import RtpSocket, Samples, assert_talk, dominant_hz, exchange, silent_share, sound_of, tone
from tests.e2e.browser import Tab, start_phone, tab, web_site
from tests.e2e.conftest import office
from tests.e2e.harness import Server, Site, free_port, password_of, running
from tests.e2e.test_browser import address_of
from tests.e2e.test_lamps import Lamp
from tests.e2e.ua import Call, Phone, eventually, registered

TALK_S = 2.5
AUDIO = "{audio: true, video: false}"
# Strength of the sound that arrives, by frequency: what a person would hear.
LISTEN = """
window.ear = async () => {
  const connection = session.connection;
  const stream = new MediaStream(connection.getReceivers().map(each => each.track));
  window.player = new Audio(); player.srcObject = stream; player.muted = true; player.play();
  window.context = new AudioContext(); await context.resume();
  window.analyser = context.createAnalyser(); analyser.fftSize = 4096; analyser.smoothingTimeConstant = 0;
  context.createMediaStreamSource(stream).connect(analyser);
  return context.state;
};
window.heard = () => {
  const bins = new Float32Array(analyser.frequencyBinCount); analyser.getFloatFrequencyData(bins);
  let best = 0; bins.forEach((level, at) => { if (level > bins[best]) best = at; });
  return {hz: best * context.sampleRate / analyser.fftSize, db: bins[best]};
};
window.inbound = async () => {
  const stats = await session.connection.getStats(); const found = {};
  stats.forEach(each => {
    if (each.type === 'inbound-rtp') Object.assign(found, {packets: each.packetsReceived, lost: each.packetsLost});
    if (each.type === 'transport') Object.assign(found, {dtls: each.dtlsState, srtp: each.srtpCipher});
  });
  return found;
};
0
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    site = Site.write(tmp_path_factory.mktemp("web"), office(), sip=f'wss = ["127.0.0.1:{free_port()}"]')
    with running(site) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Tab]:
    """Terminal 204 in a browser, registered as the browser beside its desk phones."""
    if shutil.which("chromium-headless-shell") is None:
        pytest.skip("chromium-headless-shell is not installed")
    folder: Path = tmp_path_factory.mktemp("browser")
    with web_site() as port, tab(folder, f"http://127.0.0.1:{port}/phone") as found:
        start_phone(found, address_of(server, "wss"), "204-WS", password_of("204"))
        found.wait("seen.includes('registered')")
        found.run(LISTEN)
        yield found


@pytest.fixture
def desk(server: Server, page: Tab) -> Iterator[Phone]:
    page.run("seen.length = 0")
    with registered(server.address, "202", password_of("202")) as phone:
        yield phone


def from_browser(page: Tab, desk: Phone, rtp: RtpSocket) -> Call:
    """The browser calls the desk phone, which answers."""
    page.run(f"ua.call('{desk.number}', {{mediaConstraints: {AUDIO}}}) && 0")
    call = desk.wait_for_call()
    assert call.invite is not None
    assert "RTP/AVP " in call.invite.body
    assert "a=fingerprint" not in call.invite.body
    call.reply(180)
    call.reply(200, sdp(rtp.address, (8, 101)))
    desk.expect("ACK")
    page.wait("seen.includes('confirmed')")
    return call


def to_browser(page: Tab, desk: Phone, rtp: RtpSocket) -> tuple[Call, tuple[str, int]]:
    """The desk phone calls the browser, which answers; where the phone's audio goes."""
    call = desk.dial("204", rtp.address)
    call.expect(180)
    page.wait("seen.includes('session remote')")
    page.run(f"session.answer({{mediaConstraints: {AUDIO}}})")
    answer = call.expect(200, timeout_s=8)
    call.acknowledge()
    page.wait("seen.includes('confirmed')")
    return call, audio_of(answer.body).address


def talk(page: Tab, rtp: RtpSocket, to: tuple[str, int]) -> Samples:
    """Both sides at once; the desk phone sends 660 Hz, the browser its beeps. What the desk phone heard."""
    page.wait("session.connection.connectionState === 'connected'")
    assert page.run("ear()") == "running"
    (packets,) = exchange([(rtp, to, tone(660, TALK_S))])
    return sound_of(packets)


def assert_talked(page: Tab, heard: Samples, measured: dict[str, float]) -> None:
    assert abs(measured["hz"] - 660) < 15, measured
    assert len(heard) > 8000 * (TALK_S - 0.5)
    assert 0.3 < silent_share(heard) < 0.99  # short beeps once a second
    assert dominant_hz(heard) > 200
    found = page.run("inbound()")
    assert found["dtls"] == "connected"
    assert found["packets"] > 50 * (TALK_S - 0.5)
    assert found["lost"] <= 2
    assert "AES" in found["srtp"] or "AEAD" in found["srtp"]


def listen_meanwhile(page: Tab) -> None:
    """Remember the loudest that is heard from now on."""
    page.run(
        "window.loudest = {hz: 0, db: -200}; clearInterval(window.listening); window.listening = setInterval(() => {"
        "if (window.analyser) { const now = heard(); if (now.db > loudest.db) loudest = now; } }, 50); 0"
    )


def test_a_browser_calls_a_desk_phone_and_both_hear_each_other(page: Tab, desk: Phone) -> None:
    with RtpSocket() as rtp:
        call = from_browser(page, desk, rtp)
        listen_meanwhile(page)
        heard = talk(page, rtp, call.offered)
        assert_talked(page, heard, page.run("loudest"))
        page.run("session.terminate()")
        call.expect_hang_up()


def test_a_desk_phone_calls_a_browser_and_both_hear_each_other(page: Tab, desk: Phone) -> None:
    with RtpSocket() as rtp:
        call, to = to_browser(page, desk, rtp)
        listen_meanwhile(page)
        heard = talk(page, rtp, to)
        assert_talked(page, heard, page.run("loudest"))
        call.hang_up()
        page.wait("seen.some(each => each.startsWith('ended'))")


def test_a_browser_holds_and_comes_back_and_restarts_ice(page: Tab, desk: Phone, server: Server) -> None:
    with RtpSocket() as rtp:
        call = from_browser(page, desk, rtp)
        page.wait("session.connection.connectionState === 'connected'")
        page.run("session.hold({}, () => seen.push('on hold')) && 0")
        page.wait("seen.includes('on hold')")
        page.run("session.unhold({}, () => seen.push('back')) && 0")
        page.wait("seen.includes('back')")
        before = page.run("session.connection.localDescription.sdp.match(/ice-ufrag:(.*)/)[1]")
        restart = "{rtcOfferConstraints: {iceRestart: true}}"
        page.run(f"session.renegotiate({restart}, () => seen.push('restarted')) && 0")
        page.wait("seen.includes('restarted')")
        assert page.run("session.connection.localDescription.sdp.match(/ice-ufrag:(.*)/)[1]") != before
        eventually(
            lambda: page.run("session.connection.iceConnectionState") in ("connected", "completed"), "ICE is back"
        )
        listen_meanwhile(page)
        heard = talk(page, rtp, call.offered)
        assert_talked(page, heard, page.run("loudest"))
        page.run("session.terminate()")
        call.expect_hang_up()


@pytest.mark.row("EXT-14")
def test_desk_phone_and_browser_of_one_account_ring_together_and_either_of_them_is_its_presence(
    page: Tab, desk: Phone, server: Server
) -> None:
    with (
        registered(server.address, "204", password_of("204")) as twin,
        registered(server.address, "205", password_of("205")) as watcher,
        RtpSocket() as rtp,
    ):
        assert {each["number"] for each in server.json("registrations")} == {"202", "204", "205"}
        lamp = Lamp(watcher, "204")
        assert lamp.subscribe().status == 200
        lamp.until("terminated")
        call = desk.dial("204", rtp.address)
        ring = twin.wait_for_call()
        ring.reply(180)
        page.wait("seen.includes('session remote')")
        page.run(f"session.answer({{mediaConstraints: {AUDIO}}})")
        answer = call.expect(200, timeout_s=8)
        call.acknowledge()
        twin.reply(twin.expect("CANCEL"), 200)
        ring.reply(487)
        twin.expect("ACK")
        assert "sip:204@" in answer.first("p-asserted-identity")
        lamp.until("confirmed")  # the desk phone is idle
        offered = page.run("session.connection.remoteDescription.sdp")
        assert all(f"a={each}" in offered for each in ("rtcp-mux", "fingerprint:", "ice-ufrag:"))
        listen_meanwhile(page)
        assert_talked(page, talk(page, rtp, audio_of(answer.body).address), page.run("loudest"))
        call.hang_up()
        lamp.until("terminated")

        page.run("seen.length = 0")
        wide = sdp(rtp.address, (8, 111, 101)) + "a=rtpmap:111 opus/48000/2\r\n"
        call = desk.dial("204", offer=wide)
        ring = twin.wait_for_call()
        page.wait("seen.includes('session remote')")
        first = re.search(r"m=audio \d+ UDP/TLS/RTP/SAVPF (\d+)", page.run("session._request.body"))
        assert first is not None
        assert f"a=rtpmap:{first[1]} opus/" in page.run("session._request.body")
        ring.reply(200, sdp(twin.address, (8, 101)))
        call.expect(200)
        call.acknowledge()
        twin.expect("ACK")
        page.wait("seen.some(each => each.startsWith('failed') || each.startsWith('ended'))")
        lamp.until("confirmed")  # the browser is idle
        call.hang_up()
        ring.expect_hang_up()
        assert lamp.subscribe(0).status == 200
        shown = [server.command(each).stdout for each in ("history", "registrations", "devices")]
        assert not any("-WS" in each.replace("sip:204-WS@", "") for each in shown)


REFER = """eventHandlers: {
  requestFailed: () => seen.push('refer refused'),
  trying: () => seen.push('refer trying'), accepted: () => seen.push('refer accepted'),
  failed: event => seen.push('refer failed ' + event.status_line.status_code)
}"""


@pytest.fixture
def other(server: Server, desk: Phone) -> Iterator[Phone]:
    """A second desk phone."""
    with registered(server.address, "203", password_of("203")) as phone:
        yield phone


def follow_display(phone: Phone, rtp: RtpSocket, number: str) -> None:
    """The desk phone is told by re-INVITE whom it talks to now."""
    shown = phone.expect("INVITE")
    assert f"sip:{number}@" in shown.first("p-asserted-identity")
    phone.reply(shown, 200, sdp(rtp.address, (8, 101)))
    phone.expect("ACK")


def test_a_browser_transfers_a_desk_phone_without_consultation(page: Tab, desk: Phone, other: Phone) -> None:
    with RtpSocket() as here, RtpSocket(ssrc=0x77) as there:
        call = from_browser(page, desk, here)
        page.run(f"session.refer('{other.number}', {{{REFER}}}) && 0")
        ring = other.wait_for_call()
        assert ring.invite is not None
        assert "sip:204@" in ring.invite.first("referred-by")
        ring.reply(180)
        ring.reply(200, sdp(there.address, (8, 101)))
        other.expect("ACK")
        page.wait("seen.includes('refer accepted')")
        page.wait("seen.some(each => each.startsWith('ended'))")
        follow_display(desk, here, other.number)
        assert_talk((here, call.offered), (there, ring.offered))
        call.hang_up()
        ring.expect_hang_up()


def test_a_browser_is_told_when_nobody_takes_over_and_goes_on_talking(page: Tab, desk: Phone, other: Phone) -> None:
    with RtpSocket() as rtp:
        call = from_browser(page, desk, rtp)
        page.run(f"session.refer('{other.number}', {{{REFER}}}) && 0")
        ring = other.wait_for_call()
        ring.reply(486)
        other.expect("ACK")
        page.wait("seen.includes('refer failed 486')")
        listen_meanwhile(page)
        heard = talk(page, rtp, call.offered)
        assert_talked(page, heard, page.run("loudest"))
        page.run("session.terminate()")
        call.expect_hang_up()


def test_a_browser_joins_the_desk_phones_of_its_two_calls(page: Tab, desk: Phone, other: Phone) -> None:
    with RtpSocket() as here, RtpSocket(ssrc=0x77) as there:
        first = from_browser(page, desk, here)
        page.run("window.first = session; first.hold({}, () => seen.push('on hold')) && 0")
        page.wait("seen.includes('on hold')")
        page.run("seen.length = 0")
        second = from_browser(page, other, there)
        page.run(f"first.refer('{other.number}', {{replaces: session, {REFER}}}) && 0")
        page.wait("seen.includes('refer accepted')")
        page.wait("seen.filter(each => each.startsWith('ended')).length === 2")
        follow_display(desk, here, other.number)
        follow_display(other, there, desk.number)
        assert_talk((here, first.offered), (there, second.offered))
        second.hang_up()
        first.expect_hang_up()


def test_a_desk_phone_is_transferred_to_a_browser(page: Tab, desk: Phone, other: Phone) -> None:
    with RtpSocket() as here:
        call = desk.dial(other.number, here.address)
        incoming = other.wait_for_call()
        incoming.reply(200, sdp(("127.0.0.1", 9), (8, 101)))
        answer = call.expect(200)
        call.acknowledge()
        other.expect("ACK")
        incoming.request("REFER", headers=[("Refer-To", f"<sip:204@{desk.server[0]}>"), ("Refer-Sub", "false")])
        assert other.expect(202).first("refer-sub") == "false"
        page.wait("seen.includes('session remote')")
        page.run(f"session.answer({{mediaConstraints: {AUDIO}}})")
        page.wait("seen.includes('confirmed')")
        incoming.expect_hang_up()
        follow_display(desk, here, "204")
        listen_meanwhile(page)
        heard = talk(page, here, audio_of(answer.body).address)
        assert_talked(page, heard, page.run("loudest"))
        call.hang_up()
        page.wait("seen.some(each => each.startsWith('ended'))")


def test_a_browser_shows_a_busy_lamp(page: Tab, desk: Phone, other: Phone) -> None:
    page.run(
        "window.lamps = []; window.lamp = ua.subscribe('202', 'dialog', 'application/dialog-info+xml', {expires: 600});"
        "lamp.on('notify', (isFinal, request, body) => lamps.push([isFinal, body]));"
        "lamp.on('terminated', () => seen.push('lamp out')); lamp.subscribe()"
    )
    page.wait("lamps.some(each => each[1].includes('<state>terminated</state>'))")
    call = other.dial("202", ("127.0.0.1", 9))
    incoming = desk.wait_for_call()
    incoming.reply(180)
    shown = page.wait("(lamps.find(each => each[1].includes('<state>early</state>')) || [])[1]")
    assert "sip:203@" in shown
    call.expect(180)
    call.give_up()
    desk.reply(desk.expect("CANCEL"), 200)
    incoming.reply(487)
    desk.expect("ACK")
    page.wait("lamps.at(-1)[1].includes('<state>terminated</state>')")
    page.run("lamp.terminate()")
    page.wait("seen.includes('lamp out')")
    assert page.run("lamps.at(-1)[0]") is True
