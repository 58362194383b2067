"""Scripts on the virtual loop: each in a thread that has the floor until it asks for a verb, so that its thinking takes
no time of the clock."""

import ctypes
import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any

from pbx.script.call import CallEnded, Refused
from pbx.script.hosts import Running, ScriptFailed
from pbx.script.run import run


class Threads:
    """The host of scripts in rehearsals. `thinks_s` are real seconds."""

    def __init__(self, thinks_s: float = 5.0) -> None:
        self._thinks_s = thinks_s

    async def begin(self, file: str, facts: Mapping[str, str]) -> Running:
        return _Thread(file, facts, self._thinks_s)


class _Thread:
    def __init__(self, file: str, facts: Mapping[str, str], thinks_s: float) -> None:
        self._thinks_s = thinks_s
        self._questions: SimpleQueue[Mapping[str, Any]] = SimpleQueue()
        self._answers: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(file, facts), daemon=True, name="call-script")
        self._thread.start()

    def _run(self, file: str, facts: Mapping[str, str]) -> None:
        self._questions.put({"failed": run(file, self._ask, facts)})

    def _ask(self, verb: str, arguments: Mapping[str, object]) -> Any:
        self._questions.put({"verb": verb, **arguments})
        answer = self._answers.get()
        if answer is None:
            raise CallEnded
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["result"]

    async def next(self) -> Mapping[str, Any] | None:
        try:
            said = self._questions.get(timeout=self._thinks_s)
        except Empty:
            raise ScriptFailed(f"it did nothing for {self._thinks_s:g} s") from None
        if said.get("failed"):
            raise ScriptFailed(said["failed"])
        return None if "failed" in said else said

    def reply(self, answer: Mapping[str, object]) -> None:
        self._answers.put(answer)

    async def close(self) -> None:
        self._answers.put(None)
        while self._thread.is_alive():
            self._thread.join(0.2)
            if self._thread.is_alive() and self._thread.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread.ident), ctypes.py_object(CallEnded)
                )
