"""Signed numbers over real sockets: calls to a provider are signed, and those of it refused that were for others."""

import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.wire import sdp
from pbx.stir.credentials import Credential
from pbx.stir.passport import SignedPassport
from tests.e2e.conftest import CALLER
from tests.e2e.harness import Site, running, terminal
from tests.e2e.test_lines import provider
from tests.e2e.test_outside import route
from tests.e2e.ua import Phone
from tests.support.signers import URL, Authority

TELCO, CLIENT, OURS = "127.0.0.7", "79161234567", "74951234567"
STIR = f'[stir]\ncertificate_url = "{URL}"\nkey = "stir.key"\nauthorities = "ca.pem"\nverify = "refuse"\n'
NUMBER = f'[[external_numbers]]\nnumber = "{OURS}"\nprovider = "telco"\ntarget = "301"\n'


def test_calls_are_signed_for_a_provider_and_forged_ones_of_a_provider_refused(tmp_path: Path) -> None:
    authority = Authority()
    signer = authority.signer()
    entry = provider(host=TELCO, kind="ip", login="", password="", from_user=OURS, qualify=0)
    office = f"{terminal('301', trust=CALLER)}\n{entry}\n{route('All', 'telco')}\n{NUMBER}"
    site = Site.write(tmp_path, office, extra=STIR, sip="qualify = 0")
    site.data.mkdir()
    key = signer._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (site.data / "stir.key").write_bytes(key)
    (site.data / "ca.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))
    with (
        running(site) as server,
        Phone(server.address, "telco", host=TELCO, port=5060) as telco,
        Phone(server.address, "301", host=CALLER) as phone,
    ):
        call = phone.dial(CLIENT)
        ring = telco.wait_for_call()
        assert ring.invite is not None
        signed = SignedPassport.parse(ring.invite.first("identity"))
        assert (signed.passport.orig, signed.passport.dest, signed.passport.attest) == (OURS, (CLIENT,), "A")
        credential = Credential.of(authority.files[URL], [authority.root], datetime.now(UTC))
        assert credential.has_signed(signed.signed, signed.signature)
        ring.reply(486)
        telco.expect("ACK")
        call.expect(486)

        forged = signer.identity("79990000000", OURS, "A", time.time())
        uri = f"sip:{OURS}@{server.address[0]}"
        telco.send(telco.request("INVITE", uri, headers=[("Identity", forged)],
                                 from_uri=f"sip:{CLIENT}@{TELCO}", body=sdp(telco.address)))  # fmt: skip
        assert telco.final_answer("INVITE").status == 438
        (row, *_) = server.json("history")
        assert (row["from_number"], row["cause"]) == (CLIENT, "forged_number")
