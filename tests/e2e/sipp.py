"""SIPp, bounded and checked: each run executes one scenario of `bench/sipp` and must succeed."""

import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.wire import Address
from tests.e2e.harness import free_port

SCENARIOS = Path(__file__).parents[2] / "bench" / "sipp"


@dataclass(frozen=True, slots=True)
class Plan:
    """One SIPp process: what it plays, where it sits, how much of it."""

    scenario: str
    server: Address
    host: str = "127.0.0.1"
    port: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)
    calls: int = 1
    rate: int = 10
    transport: str = "u1"
    talk_ms: int = 300
    timeout_s: int = 20
    retransmit: bool = True
    password: str = ""

    def command(self, errors: Path) -> list[str]:
        path = SCENARIOS / f"{self.scenario}.xml"
        assert path.exists(), f"no scenario {path}"
        command = ["sipp", f"{self.server[0]}:{self.server[1]}", "-sf", str(path), "-t", self.transport]
        command += [
            "-i",
            self.host,
            "-p",
            str(self.port or free_port(self.host)),
            "-m",
            str(self.calls),
            "-l",
            str(self.calls),
        ]
        command += ["-r", str(self.rate), "-d", str(self.talk_ms), "-nostdin", "-trace_err", "-error_file", str(errors)]
        command += ["-timeout", f"{self.timeout_s}s", "-timeout_error", "-recv_timeout", "12000", "-timer_resol", "5"]
        for name, value in self.keys.items():
            command += ["-key", name, value]
        if self.password:
            command += ["-au", self.keys["from"], "-ap", self.password]
        return command if self.retransmit else [*command, "-nr"]


class Sipp:
    """A running SIPp."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        stem = f"{plan.scenario}-{time.monotonic_ns()}"
        self._errors, self._complaints = folder / f"{stem}.log", folder / f"{stem}.err"
        with self._complaints.open("wb") as complaints:
            self.process = subprocess.Popen(
                plan.command(self._errors), stdout=subprocess.DEVNULL, stderr=complaints, cwd=folder
            )

    def finish(self) -> None:
        """Wait for its end; every call must have gone as the scenario says."""
        try:
            self.process.wait(self.plan.timeout_s + 5)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"SIPp {self.plan.scenario} did not end") from None
        assert self.process.returncode == 0, (
            f"SIPp {self.plan.scenario}: exit {self.process.returncode}\n{self._said()}"
        )

    def _said(self) -> str:
        files = (path for path in (self._complaints, self._errors) if path.exists())
        return "\n".join(path.read_text(errors="replace") for path in files)[:4000]

    def end(self) -> None:
        """Stop it now; nothing when it has ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def play(plan: Plan, folder: Path) -> None:
    """Run one scenario to its end."""
    Sipp(plan, folder).finish()
