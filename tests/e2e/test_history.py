"""The history of real calls: shown while they last, found, kept while the database is away, exported, deleted."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.e2e.conftest import CALLEE, CALLER, office
from tests.e2e.harness import Server, Site, running
from tests.e2e.ua import Phone, connect, eventually, registered
from tests.pbx.test_foreign_history import IN

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


@pytest.mark.row("CDR-24")
def test_the_history_of_another_system_is_added_with_its_recordings_once(tmp_path: Path) -> None:
    monitor = tmp_path / "monitor/2023/11/14"
    monitor.mkdir(parents=True)
    (monitor / "in-1.mp3").write_bytes(b"sound")
    names = [*IN]
    lines = [names, [*IN.values()], [*{**IN, "sequence": "13", "calldate": "soon"}.values()]]
    table = tmp_path / "cdr.tsv"
    table.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    with running(Site.write(tmp_path, office())) as server:
        done = server.command("import", "history", str(table), "--recordings", str(tmp_path / "monitor"))
        assert done.stdout == "1 rows are new, 1 recordings belong to them, 1 records are left out\n"
        assert 'record 2 is left out: "soon" is no time' in done.stderr
        again = server.command("import", "history", str(table), "--recordings", str(tmp_path / "monitor"))
        assert again.stdout.startswith("0 rows are new")
        (row,) = server.json("history", "--kind", "incoming", "--number", "79161234567")
        assert (row["started_at"], row["talk_seconds"]) == ("2023-11-14T22:13:20.000Z", 30.0)
        server.command("history", "--zip", str(tmp_path / "all.zip"))
        with ZipFile(tmp_path / "all.zip") as found:
            assert found.namelist() == ["2023-11-14_22-13-20_79161234567_201.mp3"]
            assert found.read(found.namelist()[0]) == b"sound"
