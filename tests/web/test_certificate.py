"""The certificate of the web process changes while it runs."""

import datetime as dt
import ssl
from pathlib import Path

from pbx.certificate import make_self_signed
from web.certificate import LiveCertificate

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def test_new_files_are_taken_over_once_and_files_that_do_not_fit_are_left(tmp_path: Path) -> None:
    def fresh(name: str) -> tuple[bytes, bytes]:
        pair = tmp_path / f"{name}.pem", tmp_path / f"{name}-key.pem"
        make_self_signed(*pair, [f"{name}.example"], NOW)
        return pair[0].read_bytes(), pair[1].read_bytes()

    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    (certificate_a, key_a), (certificate_b, key_b) = fresh("a"), fresh("b")
    certificate.write_bytes(certificate_a)
    key.write_bytes(key_a)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    live = LiveCertificate(context, certificate, key)
    assert live.poll() is False
    (tmp_path / "new").write_bytes(certificate_b)
    (tmp_path / "new").replace(certificate)
    assert live.poll() is False  # its key is not there yet
    (tmp_path / "new").write_bytes(key_b)
    (tmp_path / "new").replace(key)
    assert live.poll() is True
    assert live.poll() is False
    key.unlink()
    assert live.poll() is False
