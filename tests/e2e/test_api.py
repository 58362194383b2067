"""The API of a running server, with an HTTP client over real sockets."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import CALLEE, office
from tests.e2e.harness import Server, Site, run_to_end, running
from tests.e2e.ua import Phone, eventually, registered

PASSWORD = "Admin-Pass_1"


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
