"""Every sentence that a wrong file can give, in one place to read them. To renew after a change of words:

python -m tests.conf.test_messages
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from conf.load import ConfInvalid, load_office, load_settings

BAD = Path(__file__).parent / "bad"
LOADERS: dict[str, Callable[[Path], object]] = {"office": load_office, "zvon": load_settings}


def said(name: str) -> str:
    with pytest.raises(ConfInvalid) as raised:
        LOADERS[name](BAD / f"{name}.toml")
    return str(raised.value).replace(f"{BAD}/", "") + "\n"


@pytest.mark.parametrize("name", LOADERS)
def test_all_mistakes_are_told_at_once_with_file_line_and_key_path(name: str) -> None:
    assert said(name) == (BAD / f"{name}.txt").read_text()


if __name__ == "__main__":
    for each in LOADERS:
        (BAD / f"{each}.txt").write_text(said(each))
