"""The history of real calls: shown while they last, found, kept while the database is away, exported, deleted."""

from pathlib import Path

import pytest

from tests.e2e.conftest import CALLEE, CALLER, office
from tests.e2e.harness import Server, Site, running
from tests.e2e.ua import Phone, connect, eventually, registered

HERE, THERE = (CALLER, 7000), (CALLEE, 7000)


def spooled(server: Server) -> int:
    return int(server.json("status")["storage"]["rows_spooled"])


@pytest.mark.row("CDR-23")
def test_calls_are_shown_found_kept_without_a_database_and_deleted(tmp_path: Path) -> None:
    site = Site.write(tmp_path, office())
    file, away = site.data / "zvon.db", site.data / "away.db"
    with (
        running(site) as server,
        Phone(server.address, "301", host=CALLER) as caller,
        registered(server.address, "401", host=CALLEE) as callee,
    ):
        first, ring = connect(caller, callee, (HERE, THERE))
        (live,) = server.json("calls")
        assert (live["from_number"], live["to_number"], live["state"]) == ("301", "401", "talking")
        assert live["started_at"] <= live["answered_at"]
        first.hang_up()
        ring.expect_hang_up()
        eventually(lambda: len(server.json("history")) == 1, "the row is stored")
        assert server.json("calls") == []
        second, ring = connect(caller, callee, (HERE, THERE))
        file.rename(away)
        second.hang_up()
        ring.expect_hang_up()
        third, ring = connect(caller, callee, (HERE, THERE))
        third.hang_up()
        ring.expect_hang_up()
        eventually(lambda: spooled(server) == 2, "both rows are in the spool")
        away.rename(file)
        eventually(lambda: spooled(server) == 0, "they arrive", 8)
        rows = server.json("history", "--number", "301 401")
        assert len({row["id"] for row in rows}) == 3
        assert [row["started_at"] for row in rows] == sorted((row["started_at"] for row in rows), reverse=True)
        newest = rows[0]
        assert server.json("history", "--search", newest["linkedid"]) == [newest]
        assert "BYE" in server.command("trace", newest["call"]).stdout
        table = tmp_path / "history.csv"
        server.command("history", "--search", "src:301", "--csv", str(table))
        assert len(table.read_text().splitlines()) == 4
        assert "1 rows" in server.command("history", "--id", newest["linkedid"], "--delete").stdout
        assert server.json("history", "--kind", "internal") == rows[1:]
        assert {each["status"] for each in server.json("history", "--conversations")} == {"ok"}
