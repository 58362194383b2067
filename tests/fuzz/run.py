"""`python -m tests.fuzz.run [TARGET …] --seconds N`: coverage-guided fuzzing, N seconds a target (`make fuzz`).

As many targets at once as there are cores.

What breaks a target is kept as a file of `tests/vectors/fuzz/TARGET`, from where the fast tests replay it for ever.
What is fuzzed is imported once, by the process that fuzzes it: compiled modules cannot be imported again, and would go
on raising the errors of the first time.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LONGEST = 65_535
MOST_S = 0.25  # CPU time of one input; instrumented code takes up to ten times as long
WORDS = (
    *("SIP/2.0", "SIP/2.0/UDP", "z9hG4bK", "INVITE", "REGISTER", "CSeq", "Content-Length", "sip:", "sips:", "tel:"),
    *(";tag=", ";branch=", ";rport", ";received=", ";expires=", ";q=", ";lr", ";+sip.instance=", "Digest ", "qop=auth"),
    *(
        "nonce=",
        "m=audio",
        "a=rtpmap:",
        "a=fmtp:",
        "c=IN IP4",
        "c=IN IP6",
        "v=0",
        "o=-",
        "telephone-event",
        "\\x0d\\x0a",
    ),
)


def fuzz(name: str, seconds: int, corpus: Path) -> None:
    """Fuzz one target in this process; ends it, with 0 when nothing was found."""
    import atheris

    with atheris.instrument_imports(include=["sipcore", "pbx", "media", "websockets"]):
        from tests.fuzz.seeds import FINDINGS
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]

    def one(data: bytes) -> None:
        begun = time.process_time()
        target(data)
        assert time.process_time() - begun < MOST_S, f"{len(data)} octets take too long"

    found = FINDINGS / name
    found.mkdir(parents=True, exist_ok=True)
    words = corpus.with_suffix(".dict")
    words.write_text("\n".join(f'"{word}"' for word in WORDS))
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0"]
    options += [f"-artifact_prefix={found}/", f"-dict={words}", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run")
    parser.add_argument("targets", nargs="*", help="all when none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.corpus is not None:
        fuzz(given.targets[0], given.seconds, given.corpus)
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("nothing was fuzzed: atheris is missing; `make fuzz` installs it where it has a wheel", file=sys.stderr)
        return 2
    from tests.fuzz.seeds import FINDINGS
    from tests.fuzz.targets import TARGETS

    names = given.targets or list(TARGETS)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as beside:
        fine = list(beside.map(lambda name: _in_process(name, given.seconds, Path(folder) / name), names))
    failed = [name for name, is_fine in zip(names, fine, strict=True) if not is_fine]
    print(f"findings: {', '.join(failed)}; kept in {FINDINGS}" if failed else "no findings")
    return 1 if failed else 0


def _in_process(name: str, seconds: int, corpus: Path) -> bool:
    """Fuzz one target in a process of its own and say what came of it; whether nothing was found."""
    from tests.fuzz.seeds import seeds

    corpus.mkdir()
    for count, data in enumerate(seeds(name)):
        (corpus / str(count)).write_bytes(data)
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--seconds", str(seconds), "--corpus", str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    runs = next((line for line in done.stderr.splitlines() if "number_of_executed_units" in line), "")
    lines = [f"fuzzed {name} for {seconds} s: {runs.rpartition(':')[2].strip() or 'no'} inputs tried"]
    if done.returncode:
        lines += [done.stdout[-3000:], *[line for line in done.stderr.splitlines() if "INFO:" not in line][-60:]]
    print("\n".join(lines), flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
