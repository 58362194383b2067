"""A PostgreSQL cluster of our own in a temporary folder: started in a second, reached by a socket in that folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from glob import glob
from itertools import count
from pathlib import Path
from typing import Self

SUPERUSER = "zvon"


def binaries() -> Path | None:
    """Where the programs of the newest version are; None when it is not installed."""
    found = sorted(glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(Path(path).parts[4]))
    return Path(found[-1]).parent if found else None


class Cluster:
    """It sorts as people do, so that nobody relies on the order of code points. Not for root: then it is `postgres`."""

    def __init__(self) -> None:
        found = binaries()
        assert found is not None, "PostgreSQL is not installed: apt-get install postgresql"
        self._binaries = found
        self._user = "postgres" if os.geteuid() == 0 else None
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a busy disk would take minutes
        self.folder = Path(tempfile.mkdtemp(prefix="zvon-postgres-", dir=memory))
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._count = count(1)
        self._data = self.folder / "data"
        self._run("initdb", "-D", str(self._data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        settings = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=40 -c shared_buffers=16MB"
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-s", "-D", str(self._data), "-l", log, "-o", settings)

    def stop(self) -> None:
        """At once, whoever is connected."""
        self._run("pg_ctl", "stop", "-w", "-s", "-D", str(self._data), "-m", "immediate")

    def create(self) -> str:
        """The name of a new, empty database."""
        name = f"zvon{next(self._count)}"
        self._run("createdb", "-h", str(self.folder), "-U", SUPERUSER, name)
        return name

    def url(self, name: str) -> str:
        """As `[storage] url` has it."""
        return f"postgresql://{SUPERUSER}@/{name}?host={self.folder}"

    def program(self, name: str) -> str:
        return str(self._binaries / name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self.program(program), *arguments]
        done = subprocess.run(
            command, user=self._user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        assert done.returncode == 0, f"{program}: {done.stderr.decode()}"
