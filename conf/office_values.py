"""Raw values of `office.toml`, as the rules between entries read them: whatever has the wrong type is left out."""

from collections.abc import Iterator, Mapping

from conf.errors import KeyPath

Values = Mapping[str, object]


def entries(values: Values, section: str) -> Iterator[tuple[KeyPath, Values]]:
    """The entries of a list."""
    found = values.get(section)
    for index, entry in enumerate(found if isinstance(found, list) else ()):
        if isinstance(entry, dict):
            yield (section, index), entry


def texts(values: Values, section: str, *keys: str) -> Iterator[tuple[KeyPath, str]]:
    """The values of some keys in all entries of a list, where they are text and not empty."""
    for path, entry in entries(values, section):
        yield from texts_of(entry, path, *keys)


def texts_of(entry: Values, path: KeyPath, *keys: str) -> Iterator[tuple[KeyPath, str]]:
    """The same of one entry."""
    for key in keys:
        value = entry.get(key)
        if isinstance(value, str) and value:
            yield (*path, key), value


def items_of(entry: Values, path: KeyPath, key: str) -> Iterator[tuple[KeyPath, str]]:
    """The texts of a list, or of a map, that one key of an entry holds."""
    found = entry.get(key)
    pairs = enumerate(found) if isinstance(found, list) else found.items() if isinstance(found, dict) else ()
    for name, value in pairs:
        if isinstance(value, str):
            yield (*path, key, name), value


def table_of(entry: Values, key: str) -> Values:
    """A section inside, empty where there is none."""
    found = entry.get(key)
    return found if isinstance(found, dict) else {}
