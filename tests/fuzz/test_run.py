"""What the fuzzer says of itself."""

import importlib.util
import sys

import pytest

from tests.fuzz import run


def test_without_atheris_nothing_is_said_to_be_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["run", "uri", "--seconds", "1"])
    assert run.main() == 2
    said = capsys.readouterr()
    assert "atheris is missing" in said.err
    assert "finding" not in said.out + said.err
