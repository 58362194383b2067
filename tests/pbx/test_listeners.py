"""What is listened on, as the settings say."""

import asyncio
from pathlib import Path

import pytest

from conf.load import parse_settings
from pbx import listeners
from pbx.listeners import Listeners, has_ipv6
from sipcore.transport.addresses import AdvertisedAddress
from sipcore.transport.driver import LayerDriver
from tests.support.stranger import Bench

EVERYWHERE = """
[sip]
udp = ["*:0"]
tcp = ["*:0"]
tls = ["*:0"]
ws = []
wss = ["*:0"]
"""


async def hosts(data: Path) -> dict[str, list[str]]:
    """The addresses that each transport is bound to."""
    driver = LayerDriver(Bench().stack, lambda event: None)
    opened = Listeners(parse_settings(EVERYWHERE).sip, data, driver, AdvertisedAddress())
    found: dict[str, list[str]] = {}
    try:
        await opened.open()
        for transport, host in opened.bound():
            found.setdefault(transport, []).append(host)
    finally:
        opened.close()
        await driver.close()
        await asyncio.sleep(0.01)
    return found


@pytest.mark.row("REG-1")
@pytest.mark.real_loop
@pytest.mark.parametrize(("is_there", "families"), [(True, ["0.0.0.0", "::"]), (False, ["0.0.0.0"])])
async def test_every_transport_is_on_both_families_where_the_machine_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool, families: list[str]
) -> None:
    monkeypatch.setattr(listeners, "has_ipv6", lambda: is_there)
    assert await hosts(tmp_path) == dict.fromkeys(("UDP", "TCP", "TLS", "WSS"), families)


@pytest.mark.row("REG-1")
def test_an_address_of_the_loopback_makes_no_ipv6(tmp_path: Path) -> None:
    table = tmp_path / "if_inet6"
    assert not has_ipv6(table)
    loopback = "00000000000000000000000000000001 01 80 10 80       lo\n"
    table.write_text(loopback)
    assert not has_ipv6(table)
    table.write_text(loopback + "20010db8000000000000000000000001 02 40 00 80     eth0\n")
    assert has_ipv6(table)
