"""What common operators want, so that an office gives a name and its account (PRV-1)."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files

_ENTRIES: Mapping[str, Mapping[str, object]] = tomllib.loads(
    files("conf").joinpath("provider_templates.toml").read_text("utf-8")
)
TEMPLATES = {name: {key: each for key, each in entry.items() if key != "taken"} for name, entry in _ENTRIES.items()}
TAKEN = {name: entry["taken"] for name, entry in _ENTRIES.items() if "taken" in entry}  # operator → year


def with_template(provider: Mapping[str, object]) -> dict[str, object]:
    """The values of a provider, and those of its template where it says nothing itself."""
    name = provider.get("template")
    return {**(TEMPLATES.get(name, {}) if isinstance(name, str) else {}), **provider}
