"""The API of a running server, with an HTTP client over real sockets."""

import datetime as dt
import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect as connect_ws

from bench.wire import audio_of, sdp
from conf.passwords import weakness
from pbx.certificate import make_self_signed
from pbx.control.backups import BACKUP_PARTS
from tests.e2e.audio import RtpSocket
from tests.e2e.conftest import CALLEE, CALLER, office
from tests.e2e.harness import ZVON, Server, Site, password_of, run_to_end, running, zvon
from tests.e2e.ua import Phone, connect, eventually, registered

PASSWORD = "Admin-Pass_1"
OF_A_CALL = ("call_started", "leg_ringing", "leg_answered", "call_ended")  # in their order
HOOKED = (*OF_A_CALL, "recording_ready")  # a moment before the end of the call or after it
# One list, one section, and what is no office; the other lists and sections are the same code.
KINDS_OF_OPERATIONS = (
    "/(terminals|features|history|recordings|calls|accounts|api_keys|webhooks|versions|audit|services"
    "|employees|directory|numbers|setup|statistics|registrations|passwords)"
)
# Whether a value that is right by itself fits to the others is no matter of a schema; 412 refuses what was not read.
SCHEMATHESIS = """
[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 428, 429]
"""


def one_time_password(server: Server) -> str:
    return server.output().partition("one-time password ")[2].split()[0]


def signed_in(server: Server) -> httpx.Client:
    """As the administrator, whose password is changed at the first sign-in."""
    no_idle = httpx.Limits(max_keepalive_connections=0)  # each test leaves the descriptors that it found
    client = httpx.Client(base_url=f"http://{server.site.web}/api/v3", timeout=30.0, limits=no_idle)
    given = {"login": "admin", "password": one_time_password(server)}
    token = client.post("/auth:login", json=given).json()["data"]["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    change = {"old": given["password"], "new": PASSWORD}
    assert client.post("/auth:changePassword", json=change).status_code == 200
    return client


@contextmanager
def follow(
    server: Server, token: str, after: int = -1, run: str = ""
) -> Iterator[tuple[dict[str, Any], Iterator[dict[str, Any]]]]:
    """The beginning of the stream of events, and the events."""
    with connect_ws(f"ws://{server.site.web}/api/v3/events") as socket:
        socket.send(json.dumps({"token": token, "after": after, "run": run}))
        yield json.loads(socket.recv(30)), (json.loads(socket.recv(30)) for _ in count())


def until_kinds(events: Iterator[dict[str, Any]], call: str, *kinds: str) -> list[dict[str, Any]]:
    """All until there was one of each kind about a call, in whatever order: recordings of earlier calls come too."""
    found, missing = [], set(kinds)
    for event in events:
        found.append(event)
        if event["data"].get("call") == call:
            missing.discard(event["kind"])
        if not missing:
            break
    return found


class Webhook:
    """Somebody else's web server."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.is_signed = False
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.kinds += [each["kind"] for each in body["events"]]
                hook.is_signed = ",v1=" in self.headers["Zvon-Signature"]
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}/zvon"

    def __enter__(self) -> "Webhook":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, httpx.Client]]:
    site = Site.write(tmp_path_factory.mktemp("api"), office(), sip="qualify = 0", web=True)
    with running(site) as server, closing(signed_in(server)) as client:
        yield server, client


def test_a_terminal_made_through_the_api_registers_and_is_gone_when_it_is_deleted(
    api: tuple[Server, httpx.Client],
) -> None:
    server, client = api
    made = client.post("/terminals", json={"number": "250", "password": "Long-Enough_1"})
    assert made.status_code == 201, made.text
    with Phone(server.address, "250", "Long-Enough_1") as phone:
        assert phone.register().status == 200
        assert client.delete("/terminals/250").status_code == 200
        assert phone.register().status in (401, 403, 404)
    assert 'number = "250"' not in server.command("export").stdout


@pytest.mark.row("EXT-4")
def test_a_password_that_is_made_anew_is_the_only_one_from_then_on(api: tuple[Server, httpx.Client]) -> None:
    server, client = api
    with Phone(server.address, "212", password_of("212"), host="127.0.1.8") as phone:
        assert phone.register().status == 200
        made = client.post("/terminals/212/password:regenerate").json()["data"]["password"]
        assert phone.register().status == 401
        assert client.get("/terminals/212/password").json()["data"]["password"] == made
        assert phone.register(password=made).status == 200
        last = server.json("password", "new", "212")["password"]
        assert server.json("password", "show", "212") == {"number": "212", "login": "212", "password": last}
        assert phone.register(password=made).status == 401
        assert phone.register(password=last, expires_s=0).status == 200
        assert not weakness(last)
    shown = server.output() + server.command("export").stdout
    assert not any(each in shown for each in (made, last))


@pytest.mark.row("EXT-12")
def test_what_is_said_of_one_account_is_seen_by_its_phone(api: tuple[Server, httpx.Client]) -> None:
    server, client = api
    said = {"headers": {"X-Room": "12"}, "codecs": ["PCMA"], "permit": ["127.0.4.0/24"], "deny": ["127.0.4.9/32"]}
    assert client.patch("/terminals/211", json=said).status_code == 200
    try:
        for host in ("127.0.4.9", "127.0.5.9"):
            with Phone(server.address, "211", password_of("211"), host=host) as stranger:
                assert stranger.register().status == 403
        with (
            registered(server.address, "211", password_of("211"), host="127.0.4.8") as phone,
            Phone(server.address, "301", host=CALLER) as caller,
        ):
            call = caller.dial("211", offer=sdp((CALLER, 7000), (9, 8, 0, 101)))
            ring = phone.wait_for_call()
            assert ring.invite is not None
            assert ring.invite.first("x-room") == "12"
            assert set(audio_of(ring.invite.body).payloads) <= {8, 0, 101}
            ring.reply(486)
            call.expect(486)
    finally:
        assert client.patch("/terminals/211", json=dict.fromkeys(said)).status_code == 200


def test_a_login_of_its_own_is_needed_at_once_and_the_number_stays_what_is_dialled(
    api: tuple[Server, httpx.Client],
) -> None:
    server, client = api
    made = client.post("/terminals", json={"number": "251", "password": "Long-Enough_1", "login": "jane.desk"})
    assert made.status_code == 201, made.text
    try:
        with Phone(server.address, "251", "Long-Enough_1", host="127.0.1.9") as phone:
            assert phone.register().status == 401
            phone.login = "jane.desk"
            assert phone.register().status == 200
            with Phone(server.address, "301", host=CALLER) as caller:
                call = caller.dial("251")
                phone.wait_for_call().reply(486)
                call.expect(486)
            assert client.patch("/office", json={"login_suffix": "-k7"}).status_code == 200
            assert client.patch("/terminals/251", json={"login": None}).status_code == 200
            assert phone.register().status == 401
            phone.login = "251-k7"
            assert phone.register(expires_s=0).status == 200
    finally:
        assert client.patch("/office", json={"login_suffix": None}).status_code == 200
        assert client.delete("/terminals/251").status_code == 200


@pytest.mark.row("REG-17")
def test_a_guest_calls_by_address_where_the_office_wants_it_and_reaches_what_a_rule_is_for(
    api: tuple[Server, httpx.Client],
) -> None:
    server, client = api
    rule = {"id": "anybody", "number": "sales", "target": "401"}
    assert client.post("/inbound_rules", json=rule).status_code == 201
    sales, other, host = "sip:sales@127.0.0.1", "sip:401@127.0.0.1", "127.0.5.5"
    try:
        with (
            registered(server.address, "401", host=CALLEE) as phone,
            Phone(server.address, "bob", host=host, domain="elsewhere.example") as guest,
            Phone(server.address, "401", host=host) as liar,
        ):
            guest.dial("", uri=sales).expect(401)
            refused = zvon("explain", "bob@elsewhere.example", "sales", data=server.data)
            assert (refused.returncode, "guests may not call" in refused.stderr) == (1, True)
            assert client.patch("/inbound", json={"guests": True}).status_code == 200
            call = guest.dial("", uri=sales)
            ring = phone.wait_for_call()
            assert ring.invite is not None
            assert '"bob@elsewhere.example" <sip:anonymous@' in ring.invite.first("from")
            ring.reply(200, sdp(phone.address))
            call.expect(200)
            call.acknowledge()
            phone.expect("ACK")
            call.hang_up()
            ring.expect_hang_up()
            guest.dial("", uri=other).expect(404)
            liar.dial("", uri=sales).expect(401)
            said = server.command("explain", "bob@elsewhere.example", "sales").stdout
            assert "final target: 401" in said
            calls = server.json("status")["calls"]
            assert (calls["guests"], calls["guests_refused"]) == (1, 1)
    finally:
        assert client.patch("/inbound", json={"guests": None}).status_code == 200
        assert client.delete("/inbound_rules/anybody").status_code == 200


def test_what_of_the_file_waits_for_a_restart_is_told_with_the_calls_that_it_would_end(
    api: tuple[Server, httpx.Client],
) -> None:
    server, client = api
    running = server.site.config.read_text(encoding="utf-8")
    with registered(server.address, "401", host=CALLEE) as callee, Phone(server.address, "301", host=CALLER) as caller:
        outgoing, incoming = connect(caller, callee, ((CALLER, 7000), (CALLEE, 7000)))
        try:
            server.site.config.write_text(running.replace("[sip]", '[sip]\nexternal = "203.0.113.5"'), encoding="utf-8")
            told = client.get("/settings").json()
            assert [each["key"] for each in told["data"]["waiting"]] == ["sip.external"]
            assert told["data"]["calls"] == 1
            printed = server.command("settings").stdout
            assert "203.0.113.5" in printed
            assert "waits 2 s for the call in progress, and then ends it" in printed
            assert told["messages"]["warning"][0]["text"] in printed
        finally:
            server.site.config.write_text(running, encoding="utf-8")
        assert server.json("settings")["waiting"] == []
        assert client.patch("/office", json={"timezone": "Europe/Moscow"}).status_code == 200  # at once
        outgoing.hang_up()
        incoming.expect_hang_up()
        assert client.patch("/office", json={"timezone": None}).status_code == 200


@pytest.mark.row("USR-6")
def test_the_list_of_people_shows_who_has_a_phone_now(api: tuple[Server, httpx.Client]) -> None:
    server, client = api

    def is_green(user: str) -> bool:
        (card,) = [each for each in client.get("/employees").json()["data"] if each["id"] == user]
        assert card["is_registered"] == any(each["is_registered"] for each in card["numbers"])
        return bool(card["is_registered"])

    card = client.post("/employees", json={"id": "ann", "name": "Ann", "number": "251"}).json()["data"]
    client.post("/terminals", json={"number": "252", "owner": "ann", "password": "Long-Enough_2"})
    assert not is_green("ann")
    with (
        Phone(server.address, "252", "Long-Enough_2") as second,
        Phone(server.address, "251", card["password"]) as first,
    ):
        assert second.register().status == 200
        assert is_green("ann")  # any of the numbers
        assert first.register().status == 200
        second.register(expires_s=0)
        assert is_green("ann")
        (phone,) = [each for each in client.get("/registrations").json()["data"] if each["number"] == "251"]
        assert client.delete("/registrations/251", params={"contact": phone["contact"]}).status_code == 200
        assert not is_green("ann")
    assert client.delete("/employees/ann").status_code == 200
    assert client.get("/terminals/252").status_code == 404


def test_a_call_is_seen_acted_on_and_heard_through_the_api(api: tuple[Server, httpx.Client]) -> None:
    server, client = api
    token = client.headers["Authorization"].removeprefix("Bearer ")
    with (
        Webhook() as hook,
        follow(server, token) as (start, events),
        registered(server.address, "401", host=CALLEE) as callee,
        Phone(server.address, "301", host=CALLER) as caller,
        RtpSocket(CALLER) as ours,
        RtpSocket(CALLEE) as theirs,
    ):
        assert client.post("/webhooks", json={"url": hook.url, "kinds": HOOKED}).status_code == 201
        connect(caller, callee, (ours.address, theirs.address))
        (talking,) = client.get("/calls").json()["data"]
        assert (talking["from_number"], talking["to_number"], talking["state"]) == ("301", "401", "talking")
        time.sleep(1.0)  # of conversation
        assert client.delete(f"/calls/{talking['id']}").status_code == 200
        caller.expect("BYE")
        callee.expect("BYE")
        seen = until_kinds(events, talking["id"], "recording_ready", "call_ended")
        kinds = [each["kind"] for each in seen]
        for kind in ("registration_changed", "call_started", "leg_ringing", "leg_answered", "call_ended"):
            assert kind in kinds, kinds
        assert [each["seq"] for each in seen] == list(range(seen[0]["seq"], seen[0]["seq"] + len(seen)))
        (first,) = [each for each in seen if each["kind"] == "call_started"]
        with follow(server, token, after=first["seq"] - 1, run=start["run"]) as (again, replayed):
            assert again["is_gap"] is False
            assert next(replayed) == first
        eventually(lambda: set(hook.kinds) == set(HOOKED), "the webhook has heard of the end and of the recording", 10)
        assert [each for each in kinds if each in HOOKED] == hook.kinds
        assert [each for each in dict.fromkeys(hook.kinds) if each in OF_A_CALL] == list(OF_A_CALL)
        assert hook.is_signed
    _is_in_history_with_sound(client)


@pytest.mark.row("API-9")
def test_a_call_is_started_picked_up_elsewhere_and_sent_on_through_the_api(api: tuple[Server, httpx.Client]) -> None:
    """Real phones do what the API says: 301 rings and calls, 402 takes what rings at 401, the caller goes on to 403."""
    server, client = api
    with (
        registered(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
        registered(server.address, "402", host=CALLEE) as colleague,
        registered(server.address, "403", host=CALLEE) as third,
        RtpSocket(CALLER) as ours,
        RtpSocket(CALLEE) as theirs,
    ):
        wanted = {"from_number": "301", "to_number": "401", "by_itself": False}
        assert client.post("/calls", json=wanted).status_code == 201
        own = caller.wait_for_call()
        own.reply(200, sdp(ours.address))
        caller.expect("ACK")
        callee.wait_for_call().reply(180)
        (waiting,) = [each["id"] for each in client.get("/calls").json()["data"] if each["to_number"] == "401"]
        assert client.post("/calls:intercept", json={"call": waiting, "to": "402"}).status_code == 201
        picked = colleague.wait_for_call()
        picked.reply(200, sdp(theirs.address))
        colleague.expect("ACK")
        callee.expect("CANCEL")
        eventually(lambda: _talks(client, "301") is not None, "the caller talks to the colleague")
        call = _talks(client, "301")
        assert call is not None
        late = client.post("/calls:intercept", json={"call": call["id"], "to": "403"})
        assert "only what nobody has answered yet" in late.text, "refused once it is answered"
        wanted = {"from_number": "403", "to_number": "nobody", "shown_name": "Client"}
        assert "nobody has the number" in client.post("/calls", json=wanted).text
        failures = "/history?number=403&limit=1"
        eventually(
            lambda: client.get(failures).json()["data"][0]["cause"] == "not_found", "failures are in the history"
        )
        assert client.post(f"/calls/{call['id']}:transfer", json={"to": "403"}).status_code == 200
        onward = third.wait_for_call()
        onward.reply(200, sdp(theirs.address))
        third.expect("ACK")
        eventually(lambda: (_talks(client, "301") or {}).get("to_number") == "403", "the caller talks to the third")
        last = _talks(client, "301")
        assert last is not None
        assert client.delete(f"/calls/{last['id']}").status_code == 200
        third.expect("BYE")


def _talks(client: httpx.Client, number: str) -> dict[str, Any] | None:
    """The conversation of a caller."""
    found: list[dict[str, Any]] = client.get("/calls").json()["data"]
    return next((each for each in found if each["from_number"] == number and each["state"] == "talking"), None)


def _is_in_history_with_sound(client: httpx.Client) -> None:
    rows: list[Any] = []

    def is_there() -> bool:
        rows[:] = client.get("/history?number=401&limit=1").json()["data"]
        return bool(rows and rows[0]["recording"])

    eventually(is_there, "the call is in the history", 10)
    path = f"/recordings/{rows[0]['recording'][0]}/audio"
    eventually(lambda: client.get(path).status_code != 409, "the recording is whole", 10)
    whole = client.get(path)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/mpeg")
    part = client.get(path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])


def test_requests_made_of_the_openapi_document_find_nothing(api: tuple[Server, httpx.Client], tmp_path: Path) -> None:
    """Schemathesis, a few requests for each kind of operation; docs/testing.md says how to look longer."""
    server, client = api
    key = client.post("/api_keys", json={"name": "schemathesis"}).json()["data"]["key"]
    (tmp_path / "schemathesis.toml").write_text(SCHEMATHESIS)
    command = [str(ZVON.with_name("st")), "run", f"http://{server.site.web}/api/v3/openapi.json"]
    command += ["--header", f"Authorization: Bearer {key}", "--include-path-regex", KINDS_OF_OPERATIONS]
    command += ["--phases", "fuzzing", "--max-examples", "2", "--generation-deterministic", "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-6000:]


def test_the_web_process_comes_back_by_itself_and_calls_do_not_notice(api: tuple[Server, httpx.Client]) -> None:
    server, client = api
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    (web,) = [pid for pid in map(int, children) if b"-m\0web\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    with registered(server.address, "401", host=CALLEE):
        os.kill(web, signal.SIGKILL)

        def answers() -> bool:
            try:
                return client.get("/terminals").status_code == 200
            except httpx.TransportError:
                return False

        eventually(answers, "the API answers again, with the same token", 60)


def test_a_port_in_use_is_said_in_one_sentence(api: tuple[Server, httpx.Client], tmp_path: Path) -> None:
    server, _ = api
    site = replace(Site.write(tmp_path, office()), web=server.site.web)
    site.write_config()
    done = run_to_end(site, timeout_s=60)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert f"the web cannot listen on {site.web}: Address already in use" in said
    assert "Traceback" not in said
    assert "zvon ready" not in said


def test_a_backup_of_a_running_server_makes_another_one_of_an_empty_folder(
    api: tuple[Server, httpx.Client], tmp_path: Path
) -> None:
    server, client = api
    made = client.post("/backups", json={})
    assert made.status_code == 201, made.text
    file = tmp_path / "office.tar"
    file.write_bytes(client.get(f"/backups/{made.json()['data']['name']}/file").content)
    other = Site.write(tmp_path / "other", "")
    done = zvon("restore", str(file), data=other.data, timeout_s=60)
    assert done.returncode == 0, done.stderr
    other.office.unlink()
    command = [each for each in other.command() if each not in ("--office", str(other.office))]
    second = Server(other, command)
    try:
        second.wait_until_ready()
        assert second.command("export", "--with-secrets").stdout == server.command("export", "--with-secrets").stdout
        assert [each["id"] for each in second.json("history")] == [each["id"] for each in server.json("history")]
        kept = [each["id"] for each in second.json("recordings", "list")]
        assert kept == [each["id"] for each in server.json("recordings", "list")]
    finally:
        second.stop()


@pytest.mark.row("CFG-6")
def test_a_backup_is_put_back_into_a_server_that_runs_and_starts_again(
    api: tuple[Server, httpx.Client], tmp_path: Path
) -> None:
    server, _ = api
    file, again = tmp_path / "office.tar", tmp_path / "again.tar"
    server.command("backup", "--to", str(file))
    with running(Site.write(tmp_path / "other", "")) as other:
        name = other.command("backups", "take", str(file)).stdout.strip()
        listed = other.json("backups", "list")
        assert [(each["name"], each["parts"]) for each in listed] == [(name, [*BACKUP_PARTS])]
        other.command("backups", "fetch", name, str(again))
        assert again.read_bytes() == file.read_bytes()
        refused = zvon("backups", "send", name, data=other.data)
        assert refused.stderr.strip().endswith("name one in [backup.away] of zvon.toml")
        done = other.command("backups", "restore", name)
        assert "100 %" in done.stdout
        assert done.stdout.endswith("restored; the server starts again\n")
        eventually(lambda: other.output().count("zvon ready") == 2, "it has started again", 40)
        assert other.command("export", "--with-secrets").stdout == server.command("export", "--with-secrets").stdout
        assert [each["id"] for each in other.json("history")] == [each["id"] for each in server.json("history")]
        other.command("backups", "delete", name)
        assert other.json("backups", "list") == []


def test_https_with_a_certificate_of_its_own_that_is_replaced_while_clients_are_there(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office(), sip="qualify = 0", web=True, extra="tls = true")
    with running(site) as server:
        assert f"web=https://{site.web}" in server.output()
        own = server.data / "certificate.pem"
        context = ssl.create_default_context(cafile=str(own))
        with httpx.Client(base_url=f"https://{site.web}/api/v3", verify=context, timeout=30.0) as client:
            answer = client.get("/me")
            assert answer.status_code == 401
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
            given = {"login": "admin", "password": one_time_password(server)}
            cookie = client.post("/auth:login", json=given).headers["Set-Cookie"]
            assert "Secure" in cookie
            fresh = tmp_path / "fresh.pem", tmp_path / "fresh-key.pem"
            make_self_signed(*fresh, ["127.0.0.1"], dt.datetime.now(dt.UTC))
            fresh[1].replace(server.data / "key.pem")
            fresh[0].replace(own)
            eventually(lambda: ssl.get_server_certificate(_place(site.web)) == own.read_text(), "the new one", 12)
            assert client.get("/me").status_code == 401  # on the connection that stands
        with pytest.raises(httpx.TransportError):
            httpx.get(f"https://{site.web}/api/v3/me", verify=context)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{site.web}/api/v3/me")
        renewed = ssl.create_default_context(cafile=str(own))
        assert httpx.get(f"https://{site.web}/api/v3/me", verify=renewed).status_code == 401


def _place(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host, int(port)
