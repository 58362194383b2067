"""docs/diagnostics.md names everything that an operator can be shown."""

import inspect
import re
from pathlib import Path

from media.engine.reasons import NAMES
from pbx.runtime import Server
from sipcore.errors import DropReason

PAGE = Path(__file__).parents[2] / "docs" / "diagnostics.md"


def named() -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", PAGE.read_text()))


def test_every_reason_of_a_drop_is_explained() -> None:
    assert {str(reason) for reason in DropReason} - named() == set()
    assert set(filter(None, NAMES)) - named() == set()


def test_every_section_of_the_status_is_explained() -> None:
    sections = re.findall(r'^            "([a-z_]+)":', inspect.getsource(Server.status), re.MULTILINE)
    assert len(sections) > 15
    assert set(sections) - named() == set()
