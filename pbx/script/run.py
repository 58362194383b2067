"""Running a script: read its file, find `main`, tell what went wrong in one sentence."""

import traceback
from collections.abc import Mapping
from pathlib import Path

from pbx.script.call import Ask, Call, CallEnded


def run(file: str, ask: Ask, facts: Mapping[str, str]) -> str:
    """Run the script to its end; "" or why it failed: the error, and the line of the script where it happened."""
    try:
        source = Path(file).read_bytes()
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"
    try:
        names: dict[str, object] = {"__name__": "call_script", "__file__": file}
        exec(compile(source, file, "exec"), names)
        main = names.get("main")
        if not callable(main):
            return f"{file} has no function main(call)"
        main(Call(ask, facts))
    except CallEnded:
        pass
    except BaseException as error:
        return _failure(file, error)
    return ""


def _failure(file: str, error: BaseException) -> str:
    what = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    line = error.lineno if isinstance(error, SyntaxError) else _line_in(file, error)
    return f"{file}, line {line}: {what}" if line else f"{file}: {what}"


def _line_in(file: str, error: BaseException) -> int | None:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None
