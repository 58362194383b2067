"""Who failed to sign in over SSH, read from the log of the SSH server."""

from pathlib import Path

from pbx.ssh_log import SshLog, failures_in

LINE = "Nov 28 09:00:01 host sshd[812]: "
WRONG = LINE + "Failed password for root from 203.0.113.66 port 50000 ssh2\n"


def test_each_failure_counts_once_and_names_of_users_cannot_forge_an_address() -> None:
    text = (
        WRONG
        + LINE + "Invalid user admin from 2001:db8::5 port 50001\n"
        + LINE + "Failed password for invalid user admin from 2001:db8::5 port 50001 ssh2\n"
        + LINE + "Invalid user x from 192.0.2.1 port 1 from 203.0.113.7 port 50002\n"
        + LINE + "Accepted publickey for root from 192.0.2.9 port 50003 ssh2\n"
        + "Nov 28 09:00:01 host cron[1]: Failed password for root from 192.0.2.8 port 1\n"
    )  # fmt: skip
    assert failures_in(text.encode()) == ["203.0.113.66", "2001:db8::5", "203.0.113.7"]


def test_the_log_is_followed_from_its_end_through_rotations_and_without_it_nothing_is_told(tmp_path: Path) -> None:
    file = tmp_path / "auth.log"
    log = SshLog(file, lambda _: None)
    assert log._news() == []
    file.write_text(WRONG)
    assert log._news() == ["203.0.113.66"], "it was not there at the start"
    assert log._news() == []
    with file.open("a") as more:
        more.write(WRONG + WRONG[:40])
    assert log._news() == ["203.0.113.66"]
    with file.open("a") as more:
        more.write(WRONG[40:])
    assert log._news() == ["203.0.113.66"], "a line counts when it is whole"
    file.rename(tmp_path / "auth.log.1")
    file.write_text(WRONG)
    assert log._news() == ["203.0.113.66"]
    later = SshLog(file, lambda _: None)
    assert later._news() == [], "what was before the start is over"
