"""The process of one script: `python -m pbx.script.host FILE FACTS`, with verbs as lines of JSON.

It writes `{"verb": "play", …}` and reads `{"result": …}` or `{"refused": "…"}`, and ends with `{"failed": "…"}`, empty
when all went well. When its input ends, so does the call.
"""

import io
import json
import os
import resource
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from typing import Any

from pbx.script.call import CallEnded, Refused
from pbx.script.run import run

MEMORY_BYTES = 512 << 20


class Line:
    """To the server and back."""

    def __init__(self, answers: io.TextIOBase, questions: io.TextIOBase) -> None:
        self._answers, self._questions = answers, questions

    def ask(self, verb: str, arguments: Mapping[str, object]) -> Any:
        self.tell({"verb": verb, **arguments})
        line = self._answers.readline()
        if not line:
            raise CallEnded
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["result"]

    def tell(self, what: Mapping[str, object]) -> None:
        try:
            self._questions.write(json.dumps(what) + "\n")
            self._questions.flush()
        except BrokenPipeError:
            raise CallEnded from None


class Printed(io.TextIOBase):
    """What the script prints becomes lines of the log."""

    def __init__(self, line: Line) -> None:
        self._line, self._rest = line, ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for each in lines:
            self._line.ask("log", {"text": each})
        return len(text)


def main() -> None:
    file, facts = sys.argv[1], json.loads(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(os.dup(0)) as answers, os.fdopen(os.dup(1), "w") as questions:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        line = Line(answers, questions)
        sys.path.insert(0, os.path.dirname(file))
        with redirect_stdout(Printed(line)):
            failed = run(file, line.ask, facts)
        with suppress(CallEnded):
            line.tell({"failed": failed})


if __name__ == "__main__":
    main()
