"""Who may import whom (the contracts stand in `pyproject.toml`)."""

import os
import subprocess
import sys
from pathlib import Path

from tests.arch.project import ROOT


def test_every_import_contract_is_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
