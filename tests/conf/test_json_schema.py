"""The JSON Schema of the two files says what the files themselves are held to."""

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import conf
from conf.demo import write_demo_office
from conf.json_schema import DOCUMENTS, schema_of

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("zvon.toml", {"drain_timeout": -1}, "less than the minimum"),
    ("zvon.toml", {"drain_timeout": "30"}, "is not of type 'integer'"),
    ("zvon.toml", {"sip": {"role": "router"}}, "is not one of"),
    ("zvon.toml", {"sip": {"udp": "0.0.0.0:5060"}}, "is not of type 'array'"),
    ("zvon.toml", {"media": {"workers": "many"}}, "is not valid under any of the given schemas"),
    ("zvon.toml", {"colour": "red"}, "Additional properties are not allowed"),
    ("office.toml", {"terminals": [{"owner": "me"}]}, "'number' is a required property"),
    ("office.toml", {"terminals": [{"number": "101", "prak": True}]}, "Additional properties are not allowed"),
]


@pytest.mark.parametrize("file", DOCUMENTS)
def test_it_is_a_schema_and_takes_an_empty_file(file: str) -> None:
    schema = schema_of(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({}, schema)


@pytest.mark.parametrize("file", DOCUMENTS)
def test_every_key_of_the_file_is_there_with_what_it_takes(file: str) -> None:
    schema = schema_of(file)
    assert set(schema["properties"]) == set(DOCUMENTS[file].model_fields)
    for section in schema["$defs"].values():
        for name, key in section["properties"].items():
            assert key.keys() & {"type", "enum", "const", "anyOf", "$ref"}, name


def test_the_files_that_come_with_zvon_are_valid(tmp_path: Path) -> None:
    settings = Path(conf.__file__).with_name("default.toml").read_text(encoding="utf-8")
    jsonschema.validate(tomllib.loads(settings), schema_of("zvon.toml"))
    write_demo_office(tmp_path / "office.toml")
    jsonschema.validate(tomllib.loads((tmp_path / "office.toml").read_text()), schema_of("office.toml"))


def test_defaults_stand_as_they_would_in_the_file() -> None:
    sip = schema_of("zvon.toml")["$defs"]["SipSettings"]["properties"]
    assert sip["udp"]["default"] == ["0.0.0.0:5060"]
    assert sip["local_networks"]["default"][0] == "10.0.0.0/8"
    assert "default" not in schema_of("office.toml")["$defs"]["TerminalSection"]["properties"]["password"]


@pytest.mark.parametrize(("file", "values", "sentence"), BAD)
def test_what_zvon_check_refuses_is_refused(file: str, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match=sentence):
        jsonschema.validate(values, schema_of(file))
