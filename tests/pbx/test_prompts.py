"""Which files say a prompt: one voice for a phrase, own recordings before all, English for what a language lacks."""

from datetime import date
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from media.api import FileSource, Playlist
from pbx.prompts import GAIN_DB, PromptFolders, Prompts, PromptSet, sound_files
from pbx.speech.catalogue import catalogue
from pbx.speech.grammar import PAUSE
from pbx.speech.phrase import Value


def _voice(name: str, *keys: str) -> dict[str, tuple[str, ...]]:
    return {key: (f"{name}:{key}",) for key in keys}


def _said(prompts: Prompts, *keys: str, language: str = "", **values: int | str) -> list[str]:
    return [file.path for file in prompts.say(*keys, language=language, **values).files]


def _prompts(language: str = "ru", /, **sets: PromptSet) -> Prompts:
    prompts = Prompts(lambda: sets)
    prompts.office_changed(language)
    return prompts


WAIT = ("queue-wait", "number/2-f", "unit/minute-few")  # две минуты


def test_the_recorded_set_says_what_it_has_every_word_of() -> None:
    found = PromptSet("set", {}, _voice("recorded", *WAIT), _voice("generated", *WAIT))
    assert _said(_prompts(ru=found), "queue-wait", wait=120) == [f"recorded:{key}" for key in WAIT]


def test_a_phrase_that_lacks_one_recorded_word_is_generated_as_a_whole() -> None:
    found = PromptSet("set", {}, _voice("recorded", *WAIT[:2]), _voice("generated", *WAIT))
    assert _said(_prompts(ru=found), "queue-wait", wait=120) == [f"generated:{key}" for key in WAIT]


def test_voices_are_mixed_only_where_neither_has_all() -> None:
    found = PromptSet("set", {}, _voice("recorded", *WAIT[:1]), _voice("generated", *WAIT[1:]))
    expected = [f"recorded:{WAIT[0]}", *(f"generated:{key}" for key in WAIT[1:])]
    assert _said(_prompts(ru=found), "queue-wait", wait=120) == expected


def test_a_recording_of_the_office_replaces_one_key_of_either_voice() -> None:
    own = _voice("own", "queue-wait")
    found = PromptSet("set", own, _voice("recorded", *WAIT[1:]), _voice("generated", *WAIT))
    assert _said(_prompts(ru=found), "queue-wait", wait=120) == ["own:queue-wait", *(f"recorded:{k}" for k in WAIT[1:])]


def test_what_russian_cannot_say_is_said_in_english_with_english_grammar() -> None:
    english = PromptSet("set", {}, _voice("en", "queue-wait", "number/2", "unit/minute-many"))
    found = _prompts(en=english, ru=PromptSet("set", {}, _voice("ru", *WAIT[:2])))
    assert _said(found, "queue-wait", wait=120) == ["en:queue-wait", "en:number/2", "en:unit/minute-many"]


def test_what_nobody_can_say_is_left_out_and_told_once() -> None:
    prompts = _prompts(ru=PromptSet("set", {}, _voice("ru", *WAIT[:2])))
    with capture_logs() as logs:
        assert _said(prompts, "queue-wait", wait=120) == [f"ru:{key}" for key in WAIT[:2]]
        assert _said(prompts, "queue-wait", wait=120) == [f"ru:{key}" for key in WAIT[:2]]
    assert [(each["event"], each["why"]) for each in logs] == [("parts of this prompt are silent", "unit/minute-few")]


def test_without_any_set_everything_is_silence_and_never_an_error() -> None:
    with capture_logs() as logs:
        assert Prompts().say("call-goodbye", "queue-wait", wait=60) == Playlist((), gain_db=GAIN_DB)
    assert len(logs) == 2


@pytest.mark.parametrize(
    ("prompt", "values", "why"),
    [
        ("no-such", {}, "there is no such prompt"),
        ("queue-wait", {}, "nobody says what wait is"),
        ("queue-wait", {"wait": "soon"}, "'soon' is no number"),
    ],
)
def test_a_mistake_of_a_feature_is_silence_and_a_line_in_the_log(
    prompt: str, values: dict[str, int | str], why: str
) -> None:
    prompts = _prompts(ru=PromptSet())
    with capture_logs() as logs:
        assert prompts.say(prompt, language="", **values).files == ()
    assert [each["why"] for each in logs] == [why]


def test_several_prompts_are_one_playlist() -> None:
    found = _prompts("en", en=PromptSet("set", {}, _voice("en", "call-thanks", "call-goodbye")))
    assert found.say("call-thanks", "call-goodbye") == Playlist(
        (FileSource("en:call-thanks"), FileSource("en:call-goodbye")), gain_db=GAIN_DB
    )


def test_a_party_with_a_language_of_its_own_hears_that() -> None:
    prompts = _prompts("ru", **{each: PromptSet("set", {}, _voice(each, "call-goodbye")) for each in ("en", "ru")})
    assert _said(prompts, "call-goodbye") == ["ru:call-goodbye"]
    assert _said(prompts, "call-goodbye", language="en") == ["en:call-goodbye"]
    assert _said(prompts, "call-goodbye", language="ru") == ["ru:call-goodbye"]


def test_a_language_that_there_is_none_of_is_that_of_the_office() -> None:
    prompts = _prompts(ru=PromptSet("set", {}, _voice("ru", "call-goodbye")))
    assert _said(prompts, "call-goodbye", language="fr") == ["ru:call-goodbye"]


def test_a_pause_is_that_of_the_generated_set_or_left_out() -> None:
    digits = _voice("recorded", *(f"number/{digit}" for digit in range(10)))
    with_pause = _prompts(ru=PromptSet("set", {}, digits, _voice("generated", PAUSE)))
    assert _said(with_pause, "say-phone", value="12345")[:2] == ["recorded:number/1", f"generated:{PAUSE}"]
    assert _said(_prompts(ru=PromptSet("set", {}, digits)), "say-phone", value="12345") == [
        f"recorded:number/{digit}" for digit in range(1, 6)
    ]


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"sound")


def _folders(root: Path) -> PromptFolders:
    return PromptFolders(root / "own", root / "installed", root / "generated")


def test_folders_are_searched_for_sets(tmp_path: Path) -> None:
    _touch(tmp_path / "installed/ru_RU_f_IvrvoiceRU", "vm-goodbye.g722", "digits/1.wav", "digits/1n.g722")
    _touch(tmp_path / "installed/ru_RU_f_IvrvoiceRU", "all-circuits-busy-now.g722")  # without its second half
    _touch(tmp_path / "generated/ru", "number/2-f.wav", "pause.wav")
    _touch(tmp_path / "own/ru", "queue-next.mp3", "README.txt")
    found = _folders(tmp_path).sets()["ru"]
    assert found.name == "ru_RU_f_IvrvoiceRU"
    assert {key: [Path(file).name for file in files] for key, files in found.recorded.items()} == {
        "call-goodbye": ["vm-goodbye.g722"],
        "number/1": ["1.wav"],
        "number/1-n": ["1n.g722"],
    }
    assert set(found.generated) == {"number/2-f", "pause"}
    assert found.own == {"queue-next": (str(tmp_path / "own/ru/queue-next.mp3"),)}


def test_a_prompt_of_several_recordings_plays_all_of_them(tmp_path: Path) -> None:
    _touch(tmp_path / "installed/en_US_f_Allison", "vm-youhave.g722", "vm-no.g722", "vm-messages.g722")
    prompts = Prompts(_folders(tmp_path).sets)
    assert [Path(file).stem for file in _said(prompts, "voicemail-messages-none")] == [
        "vm-youhave",
        "vm-no",
        "vm-messages",
    ]


def test_wideband_is_taken_first_and_empty_files_are_none(tmp_path: Path) -> None:
    _touch(tmp_path, "a.wav", "a.g722", "b.mp3", "b.wav", "c.txt", "deep/er/d.opus")
    (tmp_path / "e.wav").touch()
    found = {key: Path(file).name for key, file in sound_files(tmp_path).items()}
    assert found == {"a": "a.g722", "b": "b.wav", "deep/er/d": "d.opus"}
    assert sound_files(tmp_path / "nowhere") == {}


def test_an_applied_office_brings_its_language_and_new_recordings(tmp_path: Path) -> None:
    prompts = Prompts(_folders(tmp_path).sets)
    assert _said(prompts, "call-goodbye") == []
    _touch(tmp_path / "own/ru", "call-goodbye.wav")
    with capture_logs() as logs:
        prompts.office_changed("ru")
    assert _said(prompts, "call-goodbye") == [str(tmp_path / "own/ru/call-goodbye.wav")]
    [told] = logs
    assert (told["event"], told["set"], told["own"]) == (
        "prompts are missing, they are left out: `zvon prompts`",
        "",
        1,
    )
    assert told["silent"] == len(catalogue("ru").words) - 1


INSTALLED_SETS = PromptFolders(Path("/nowhere")).sets()
needs_sets = pytest.mark.skipif(
    any(not each.name or not each.generated for each in INSTALLED_SETS.values()), reason="no prompts: `make prompts`"
)


@needs_sets
@pytest.mark.parametrize("language", INSTALLED_SETS)
def test_every_recording_that_a_prompt_names_is_in_the_installed_set(language: str) -> None:
    words = catalogue(language).words
    named = {key for key, word in words.items() if word.recorded}
    assert named - set(INSTALLED_SETS[language].recorded) == set()


@needs_sets
@pytest.mark.row("LOC-2")
@pytest.mark.parametrize(
    ("prompt", "values", "english", "russian"),
    [
        ("queue-position", {"number": 2}, ["queue-thereare", "2", "queue-callswaiting"], ["queue-thereare", "2"]),
        ("queue-wait", {"wait": 60}, ["queue-holdtime", "1", "minute"], ["queue-wait", "1-f-acc", "minute-acc"]),
        ("queue-wait", {"wait": 120}, ["queue-holdtime", "2", "minutes"], ["queue-wait", "2-f", "minute-few"]),
        ("queue-wait", {"wait": 300}, ["queue-holdtime", "5", "minutes"], ["queue-holdtime", "5", "queue-minutes"]),
        ("say-number", {"value": 21000}, ["20", "1", "thousand"], ["20", "1-f", "1000-one"]),
        ("say-number", {"value": 200}, ["2", "hundred"], ["200"]),
        ("say-ordinal", {"value": 21}, ["20", "h-1"], ["20", "h-1"]),
        ("say-date", {"value": date(2001, 5, 21)}, ["mon-4", "20", "h-1", "2", "thousand", "1"],
         ["20", "1-n", "5", "2-f", "1000-few", "1-gen", "year"]),
        ("voicemail-messages-new", {"new": 1}, ["vm-youhave", "1", "vm-INBOX", "vm-message"],
         ["vm-youhave", "1n", "vm-newn", "vm-message"]),
    ],
)  # fmt: skip
def test_with_the_installed_sets_both_languages_say_everything_in_their_grammar(
    prompt: str, values: dict[str, Value], english: list[str], russian: list[str]
) -> None:
    """Names are those of the files: of the recorded set, or keys where speech is generated."""
    prompts = Prompts(lambda: INSTALLED_SETS)
    for language, expected in (("en", english), ("ru", russian)):
        assert [Path(file.path).stem for file in prompts.say(prompt, language=language, **values).files] == expected
        assert prompts.describe()[language]["silent"] == 0  # type: ignore[index]


def test_status_counts_who_says_how_much(tmp_path: Path) -> None:
    _touch(tmp_path / "installed/en_US_f_Allison", "vm-goodbye.g722", "digits/1.g722")
    _touch(tmp_path / "generated/en", "number/2.wav", "outdated.wav")
    _touch(tmp_path / "own/en", "number/2.wav")
    prompts = Prompts(_folders(tmp_path).sets)
    all_of_them = len(catalogue("en").words)
    described = prompts.describe()
    assert described["language"] == "en"
    assert described["en"] == {
        "set": "en_US_f_Allison",
        "recorded": 2,
        "generated": 1,
        "own": 1,
        "silent": all_of_them - 3,
    }
    assert described["ru"] == {"set": "", "recorded": 0, "generated": 0, "own": 0, "silent": len(catalogue("ru").words)}
