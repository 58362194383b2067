"""Commands that make and measure sound files, run in this process: a new one is half a second of work."""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pbx.conversion import ConversionFailed, Converter


@pytest.fixture(autouse=True)
def converted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every test of a module that imports it."""

    async def run(_: Converter, command: Sequence[str], target: Path | None = None, given: str = "") -> str:
        said, complained = io.StringIO(), io.StringIO()
        with (
            monkeypatch.context() as patch,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(complained),
        ):
            patch.setattr(os, "nice", lambda by: 0)
            patch.setattr(sys, "argv", list(command[2:]))
            patch.setattr(sys, "stdin", io.StringIO(given))
            if importlib.import_module(command[2]).main():
                raise ConversionFailed(complained.getvalue().strip().splitlines()[-1])
        return said.getvalue()

    monkeypatch.setattr(Converter, "run", run)
