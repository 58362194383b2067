"""The server's certificate: made at first start, checked, changed while it is in use."""

import datetime as dt
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from conf.schema import SipSettings
from pbx.certificate import (
    CERTIFICATE_FILE,
    KEY_FILE,
    ServerCertificate,
    check_pair,
    make_self_signed,
    names_in,
    own_names,
)
from pbx.control.messages import ControlError

NOW = dt.datetime.now(dt.UTC)
SIP = SipSettings.model_validate({"tls": ["127.0.0.9:5061", "0.0.0.0:5062"], "external": "pbx.example.net"})


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("pairs")
    made = [(folder / f"{name}.crt", folder / f"{name}.key") for name in ("one", "two")]
    for pair in made:
        make_self_signed(*pair, [pair[0].stem], NOW)
    return made


def place(folder: Path, certificate: Path, key: Path) -> None:
    """As an administrator does it: copied over, a moment later than what was there."""
    for source, name in ((certificate, CERTIFICATE_FILE), (key, KEY_FILE)):
        (folder / name).write_bytes(source.read_bytes())
        moment = (folder / name).stat().st_mtime_ns + 1_000_000
        os.utime(folder / name, ns=(moment, moment))


def test_one_is_made_once_for_the_names_of_the_server_and_kept(tmp_path: Path) -> None:
    ServerCertificate.open(SIP, tmp_path)
    first = (tmp_path / CERTIFICATE_FILE).read_bytes()
    made = x509.load_pem_x509_certificate(first)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName)[0] == "pbx.example.net"
    assert {str(each) for each in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.9", "127.0.0.1", "::1"}
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert made.not_valid_after_utc > NOW + dt.timedelta(days=3000)
    ServerCertificate.open(SIP, tmp_path)
    assert (tmp_path / CERTIFICATE_FILE).read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [CERTIFICATE_FILE, KEY_FILE]


def test_a_long_host_name_fits(tmp_path: Path) -> None:
    sip = SIP.model_copy(update={"external": "a" * 60 + ".example.net"})
    make_self_signed(tmp_path / "c", tmp_path / "k", own_names(sip), NOW)
    check_pair(tmp_path / "c", tmp_path / "k", NOW)


def test_the_configured_files_are_used_relative_to_the_data_folder(
    tmp_path: Path, pairs: list[tuple[Path, Path]]
) -> None:
    place(tmp_path, *pairs[0])
    sip = SIP.model_copy(update={"certificate": CERTIFICATE_FILE, "key": str(pairs[0][1])})
    assert not ServerCertificate.open(sip, tmp_path).poll()


def test_missing_files_are_a_sentence(tmp_path: Path, pairs: list[tuple[Path, Path]]) -> None:
    for certificate, key, what in (("no", str(pairs[0][1]), "certificate"), (str(pairs[0][0]), "no", "key")):
        sip = SIP.model_copy(update={"certificate": certificate, "key": key})
        with pytest.raises(ControlError) as refusal:
            ServerCertificate.open(sip, tmp_path)
        assert str(refusal.value) == (
            f"the {what} {tmp_path / 'no'} cannot be read: No such file or directory; "
            "change [sip] certificate and key in the settings"
        )


def test_a_key_of_another_certificate_is_a_sentence(pairs: list[tuple[Path, Path]]) -> None:
    with pytest.raises(ControlError, match=r"the key .*two.key does not belong to the certificate .*one.crt: change"):
        check_pair(pairs[0][0], pairs[1][1], NOW)


def test_a_certificate_out_of_its_time_is_a_sentence(pairs: list[tuple[Path, Path]]) -> None:
    with pytest.raises(ControlError, match=r"one.crt has expired on 20\d\d-\d\d-\d\d: renew it"):
        check_pair(*pairs[0], NOW + dt.timedelta(days=4000))
    with pytest.raises(ControlError, match=r"one.crt is valid from 20\d\d-\d\d-\d\d only: set the clock"):
        check_pair(*pairs[0], NOW - dt.timedelta(days=3))


def test_a_key_behind_a_password_is_a_sentence(tmp_path: Path, pairs: list[tuple[Path, Path]]) -> None:
    key = serialization.load_pem_private_key(pairs[0][1].read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "locked.key").write_bytes(locked)
    with pytest.raises(ControlError, match=r"protected by a password .*openssl pkey -in locked.key -out plain.pem"):
        check_pair(pairs[0][0], tmp_path / "locked.key", NOW)


@pytest.mark.parametrize("data", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
def test_files_of_another_kind_are_a_sentence(tmp_path: Path, pairs: list[tuple[Path, Path]], data: bytes) -> None:
    (tmp_path / "odd").write_bytes(data)
    with pytest.raises(ControlError, match="odd holds no certificate in PEM form"):
        check_pair(tmp_path / "odd", pairs[0][1], NOW)
    with pytest.raises(ControlError, match="odd holds no private key in PEM form"):
        check_pair(pairs[0][0], tmp_path / "odd", NOW)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="cannot be written: No such file or directory"):
        ServerCertificate.open(SIP, tmp_path / "missing")


def test_a_changed_pair_is_taken_over_once(tmp_path: Path, pairs: list[tuple[Path, Path]]) -> None:
    place(tmp_path, *pairs[0])
    certificate = ServerCertificate.open(SIP, tmp_path)
    assert not certificate.poll()
    place(tmp_path, *pairs[1])
    with capture_logs() as logs:
        assert certificate.poll()
        assert not certificate.poll()
    assert [each["event"] for each in logs] == ["the new certificate is in force"]


def test_a_broken_pair_is_told_once_and_a_later_good_one_is_taken(
    tmp_path: Path, pairs: list[tuple[Path, Path]]
) -> None:
    place(tmp_path, *pairs[0])
    certificate = ServerCertificate.open(SIP, tmp_path)
    in_force = certificate.identity._accepting
    place(tmp_path, pairs[1][0], pairs[0][1])
    with capture_logs() as logs:
        assert not certificate.poll()
        assert not certificate.poll()
    (told,) = logs
    assert told["event"] == "the new certificate is not used, the old one stays"
    assert "does not belong to the certificate" in told["why"]
    assert certificate.identity._accepting is in_force
    (tmp_path / CERTIFICATE_FILE).unlink()
    with capture_logs() as logs:
        assert not certificate.poll()
    assert "cannot be read" in logs[0]["why"]
    place(tmp_path, *pairs[1])
    assert certificate.poll()


def test_further_pairs_are_shown_for_the_names_in_them_and_watched(
    tmp_path: Path, pairs: list[tuple[Path, Path]]
) -> None:
    place(tmp_path, *pairs[0])
    assert names_in(pairs[1][0]) == ("two",)
    sip = SipSettings.model_validate({"more_certificates": [{"certificate": "shop.pem", "key": "shop.key"}]})
    with pytest.raises(ControlError, match=r"shop\.pem"):
        ServerCertificate.open(sip, tmp_path)
    for source, name in zip(pairs[1], ("shop.pem", "shop.key"), strict=True):
        (tmp_path / name).write_bytes(source.read_bytes())
    found = ServerCertificate.open(sip, tmp_path)
    assert not found.poll()
    os.replace(tmp_path / KEY_FILE, tmp_path / "shop.key")
    with capture_logs() as logs:
        assert not found.poll()
    assert "key.pem" in str(logs)


def test_authorities_that_cannot_be_read_are_a_sentence(tmp_path: Path) -> None:
    sip = SipSettings.model_validate({"client_ca": "phones.pem"})
    with pytest.raises(ControlError, match="cannot be read"):
        ServerCertificate.open(sip, tmp_path)
    (tmp_path / "phones.pem").write_text("nonsense")
    with pytest.raises(ControlError, match=r"phones\.pem holds no certificate.*change \[sip\] client_ca"):
        ServerCertificate.open(sip, tmp_path)
