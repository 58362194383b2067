"""Compiled code is typed for its callers, held against a plain reference, and built."""

import tomllib

import pytest

from tests.arch.project import ROOT, SOURCE, files, name_of

# No algorithm of their own to hold a reference against:
WITHOUT_REFERENCE = {
    "media/engine/shard.pyx": "the engine thread: state and sockets; its algorithms are in the kernels",
    "media/engine/speakers.pyx": "memory of encoders",
    "media/engine/voices.pyx": "memory of voices and rooms",
    "media/engine/tables.pyx": "memory of tables",
    "media/engine/kernels.pyx": "opens each inlined kernel to tests that hold it against its reference in media.rtp",
    "media/codec/opus.pyx": "libopus by its C functions",
    "media/codec/g729.pyx": "libbcg729 by its C functions",
    "media/srtp/cipher.pyx": "calls libsrtp, which tests hold against what pylibsrtp makes of the same packets",
    "media/codec/coder.pyx": "chooses among the codecs, each of which has its own reference",
}
COMPILED = [name_of(path) for path in files(SOURCE, ".pyx")]


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_module_has_types(name: str) -> None:
    assert (ROOT / name).with_suffix(".pyi").is_file()


@pytest.mark.parametrize("name", [name for name in COMPILED if name not in WITHOUT_REFERENCE])
def test_a_compiled_module_has_a_plain_reference(name: str) -> None:
    path = ROOT / name
    assert path.with_name(f"{path.stem}_ref.py").is_file()


def test_the_exceptions_are_files_that_exist() -> None:
    assert [name for name in WITHOUT_REFERENCE if name not in COMPILED] == []


def test_every_compiled_module_is_built() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    built = {source for module in project["tool"]["setuptools"].get("ext-modules", []) for source in module["sources"]}
    assert sorted(built) == sorted(COMPILED)
