"""`zvon sounds`: the sound library of the office."""

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from pbx.cli import VAR, Commands, Data, Json, server_of

TAKING_S = 600.0  # an hour of sound takes a minute
Id = Annotated[str, typer.Argument(metavar="ID", help="As `zvon sounds list` shows it.")]
Name = Annotated[str, typer.Option(metavar="TEXT", help="What people call it.")]
Note = Annotated[str, typer.Option(metavar="TEXT", help="What else there is to say about it.")]
Music = Annotated[bool, typer.Option("--music", help="Music on hold.")]
Replace = Annotated[bool, typer.Option("--replace", help="A sound of this id gets another content.")]


def sounds_list(data: Data = VAR, json: Json = False) -> None:
    """List the sounds: how long and how large they are, who uses them, and which cannot be played."""
    from pbx.cli_output import json_text, print_sounds, view_object

    with server_of(data, timeout_s=TAKING_S) as server:
        found = server.sounds()
    typer.echo(json_text([view_object(each) for each in found])) if json else print_sounds(found)


def sounds_add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="WAV, MP3, FLAC, Ogg, Opus or WebM, of any rate.")],
    id: Annotated[str, typer.Option("--id", metavar="ID", help="Its id; otherwise made of the file's name.")] = "",
    name: Name = "",
    note: Note = "",
    music: Music = False,
    replace: Replace = False,
    data: Data = VAR,
) -> None:
    """Take a sound file into the library, converted to what telephones have."""
    from pbx.control.sounds import AddSound

    wanted = id or re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-")[:64]
    if not wanted:
        raise typer.BadParameter(f"no id can be made of the name {file.name}: give one with --id")
    with server_of(data, timeout_s=TAKING_S) as server:
        made = server.add_sound(
            AddSound(wanted, str(file.absolute()), str(file), name=name, note=note, music=music, replaces=replace)
        )
    typer.echo(f"{made.id}: {made.seconds:g} s, {made.path}")


def sounds_say(
    id: Annotated[str, typer.Argument(metavar="ID", help="The id of the new sound.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What it says.")],
    language: Annotated[str, typer.Option(metavar="LANGUAGE", help="en or ru; otherwise that of the office.")] = "",
    name: Name = "",
    note: Note = "",
    replace: Replace = False,
    data: Data = VAR,
) -> None:
    """Make a sound of a text, by the speech synthesisers of the system."""
    from pbx.control.sounds import AddSound

    if not text.strip():
        raise typer.BadParameter("there is nothing to say")
    with server_of(data, timeout_s=TAKING_S) as server:
        made = server.add_sound(
            AddSound(id, text=text, language=language, name=name, note=note or text[:500], replaces=replace)
        )
    typer.echo(f"{made.id}: {made.seconds:g} s, {made.path}")


def sounds_change(
    id: Id,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="What people call it.")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="What else there is to say about it.")] = None,
    music: Annotated[bool | None, typer.Option("--music/--no-music", help="Whether it is music on hold.")] = None,
    data: Data = VAR,
) -> None:
    """Give a sound another name or note, put it into music on hold or take it out."""
    from pbx.control.sounds import ChangeSound

    with server_of(data) as server:
        server.change_sound(ChangeSound(id, name, note, music))
    typer.echo(f"sound {id} is changed")


def sounds_remove(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="As `zvon sounds list` shows them.")],
    data: Data = VAR,
) -> None:
    """Delete sounds; refused while something uses them."""
    with server_of(data) as server:
        for id in ids:
            server.remove_sound(id)
            typer.echo(f"sound {id} is deleted")


def sounds_restore(data: Data = VAR) -> None:
    """Put the tunes that came with the installation into music on hold, those that are not there."""
    with server_of(data) as server:
        restored = server.restore_sounds()
    typer.echo("\n".join(restored) if restored else "none is missing")


def sounds_export(
    id: Id,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Otherwise a file called by its id.")] = None,
    data: Data = VAR,
) -> None:
    """Write a sound to a file, as it lies in the library."""
    from pbx.control.messages import ControlError

    with server_of(data, timeout_s=TAKING_S) as server:
        found = server.sounds(id)
    if not found:
        raise ControlError(f'there is no sound "{id}"; `zvon sounds list` shows them')
    source = Path(found[0].path)
    target = to or Path(f"{id}{source.suffix}")
    try:
        typer.echo(shutil.copyfile(source, target))
    except (OSError, shutil.SameFileError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is the same file"
        raise ControlError(f"{source} cannot be copied to {target}: {why}") from None


SOUND_COMMANDS: Commands = {
    "list": (sounds_list, "zvon sounds list --json"),
    "add": (sounds_add, 'zvon sounds add welcome.mp3 --name "Welcome"'),
    "say": (sounds_say, 'zvon sounds say closed "We are closed." --language en'),
    "change": (sounds_change, "zvon sounds change welcome --name Welcome --music"),
    "remove": (sounds_remove, "zvon sounds remove welcome"),
    "restore": (sounds_restore, "zvon sounds restore"),
    "export": (sounds_export, "zvon sounds export welcome --to /tmp/welcome.wav"),
}
