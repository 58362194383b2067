"""Files and functions stay small enough to be read in one go."""

from statistics import median, quantiles

from tests.arch.project import FOLDERS, SOURCE, files, functions, name_of

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
MEDIAN_FUNCTION_LINES = 10
P95_FUNCTION_LINES = 35


def test_no_file_is_longer_than_can_be_kept_in_mind() -> None:
    lengths = {name_of(path): path.read_bytes().count(b"\n") for path in files(FOLDERS, ".py", ".pyx", ".pxd")}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    assert [found for found in functions(*SOURCE) if found.lines > MAX_FUNCTION_LINES] == []


def test_most_functions_are_a_few_lines() -> None:
    lengths = [found.lines for found in functions(*SOURCE)]
    assert median(lengths) <= MEDIAN_FUNCTION_LINES
    assert quantiles(lengths, n=20)[-1] <= P95_FUNCTION_LINES
