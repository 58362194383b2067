"""Where the codec libraries of other people are found; they are loaded when first needed, never required."""

from glob import glob
from importlib.util import find_spec
from pathlib import Path


def opus_files() -> list[str]:
    """The system's libopus, then the one that comes inside the wheel of PyAV (a part of aiortc)."""
    return ["libopus.so.0", *_bundled("av", "libopus-*.so*")]


def g729_files() -> list[str]:
    return ["libbcg729.so.0"]


def _bundled(package: str, pattern: str) -> list[str]:
    """Libraries that a wheel carries beside its package; the package itself is not imported."""
    found = find_spec(package)
    if found is None or found.origin is None:
        return []
    return sorted(glob(str(Path(found.origin).parent.parent / f"{package}.libs" / pattern)))


MISSING = {
    "opus": "Opus cannot be converted: the library libopus is not there. Install the Debian package libopus0.",
    "G729": "G.729 cannot be converted: the library libbcg729 is not there. Install the Debian package libbcg729-0.",
}
