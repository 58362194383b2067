"""The same server on PostgreSQL: one line of the settings, and a database that goes away while people telephone."""

from pathlib import Path

import pytest

from bench.wire import audio_of
from tests.e2e.audio import RtpSocket, assert_talk
from tests.e2e.conftest import CALLEE, CALLER, office
from tests.e2e.harness import Site, running, zvon
from tests.e2e.ua import Phone, connect, eventually, registered
from tests.support.postgres import Cluster, binaries

pytestmark = pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed (package postgresql)")


def test_calls_go_on_while_the_database_is_away_and_their_history_arrives(tmp_path: Path) -> None:
    with Cluster() as cluster:
        url = cluster.url(cluster.create())
        site = Site.write(tmp_path, office(), extra=f'[storage]\nurl = "{url}"\n', sip="qualify = 0")
        with (
            running(site) as server,
            RtpSocket(CALLER) as here,
            RtpSocket(CALLEE, ssrc=0x55) as there,
            Phone(server.address, "301", host=CALLER) as caller,
            registered(server.address, "401", host=CALLEE) as callee,
        ):
            first, ring = connect(caller, callee, (here.address, there.address))
            port = audio_of(next(m for m in caller.log if m.status == 200 and m.body).body).address
            cluster.stop()
            assert_talk((here, port), (there, ring.offered))
            second, other = connect(caller, callee, (here.address, there.address))
            for outgoing, incoming in ((first, ring), (second, other)):
                outgoing.hang_up()
                incoming.expect_hang_up()
            eventually(lambda: server.json("status")["storage"]["rows_spooled"] == 2, "both rows are in the spool")
            refused = zvon("history", data=server.data)
            assert refused.returncode == 1
            assert "does not answer: start it" in refused.stderr
            cluster.start()
            eventually(lambda: server.json("status")["storage"]["rows_spooled"] == 0, "the spool is read", 12)
            assert len(server.json("history")) == 2
