"""The composition root: the one place that knows every part, and the `zvon` command."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pbx.cli import RunOptions, build_app
from pbx.cli_backup import RestoreOptions, add_backup_commands
from pbx.cli_prompts import add_prompts_command
from pbx.cli_rehearsal import add_test_command

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Mapping, Sequence

    from conf.schema import Settings
    from media.api import MediaEngine
    from media.config import EngineConfig
    from media.synthesis.make import Made
    from pbx.control.place import DataFolderLock
    from pbx.proxy import EdgeServer
    from pbx.runtime import Server
    from pbx.web_process import WebProcess
    from storage.ports import Storage
    from storage.records import Office

AGAIN = -1  # instead of an exit code: the program starts again
STEPS_TO_SPAWN = 2  # of the event loop, until the media workers are on their way


def main() -> None:
    """The `zvon` command."""
    app = build_app(run_server)
    add_prompts_command(app, make_prompts)
    add_backup_commands(app, restore_backup)
    add_test_command(app, rehearse)
    app()


def run_server(options: RunOptions) -> int:
    """`zvon run`: returns the exit code; whatever prevents the start is raised as a sentence."""
    code = _run_once(options)
    if code == AGAIN:
        os.execv(sys.executable, [sys.executable, *again(sys.orig_argv[1:])])
    return code


def again(arguments: "Sequence[str]") -> list[str]:
    """The arguments of a start after a backup was put back: the office is the one that is stored."""
    kept, is_next = [], False
    for each in arguments:
        if not is_next and each != "--office" and not each.startswith("--office="):
            kept.append(each)
        is_next = each == "--office"
    return kept


def _run_once(options: RunOptions) -> int:
    import uvloop

    from conf.load import load_settings
    from conf.log import configure
    from conf.schema import Settings
    from pbx.collector import Collector
    from pbx.control.place import DataFolderLock, data_folder

    Collector.rest()
    settings = load_settings(options.config) if options.config is not None else Settings()
    writer = configure(settings.log.level, settings.log.format)
    try:
        lock = DataFolderLock.acquire(data_folder(settings, options.data))
        try:
            if settings.sip.role == "proxy":
                return uvloop.run(_run_edge(settings, lock, options.config))
            return uvloop.run(_run(settings, lock, options))
        finally:
            lock.release()
    finally:
        writer.close()


def make_prompts(language: str, texts: "Mapping[str, str]", folder: Path) -> "Made":
    """`zvon prompts`: sound files of texts; raises OSError where it cannot write."""
    from media.synthesis import make

    return make.make_prompts(language, texts, folder)


def rehearse(files: "Sequence[Path]", office: "Office", tell: "Callable[[str], None]") -> int:
    """`zvon test`: how many tests of the files failed."""
    from tests.support import rehearsal

    return rehearsal.rehearse(files, office, tell)


def restore_backup(options: RestoreOptions, told: "Callable[[str], None]") -> None:
    """`zvon restore`: whatever prevents it is raised as a sentence."""
    import asyncio

    from conf.load import load_settings
    from conf.schema import Settings
    from pbx.backup import Restorer
    from pbx.control.place import DataFolderLock
    from storage.sql import open_storage

    settings = load_settings(options.config) if options.config is not None else Settings()

    async def restore(data: Path) -> None:
        storage = open_storage(settings.storage.url, data)
        try:
            await Restorer(storage, data, options.file, options.parts, told).restore()
        finally:
            await storage.close()

    lock = DataFolderLock.acquire(options.data)
    try:
        asyncio.run(restore(lock.data))
    finally:
        lock.release()


async def _run(settings: "Settings", lock: "DataFolderLock", options: RunOptions) -> int:
    """The media workers come up while everything else is loaded."""
    import asyncio

    from media import open_engine

    opening = asyncio.ensure_future(open_engine(_engine_config(settings)))
    for _ in range(STEPS_TO_SPAWN):
        await asyncio.sleep(0)
    try:
        return await _run_with(opening, settings, lock, options)
    finally:
        await _close(opening)


async def _run_with(
    opening: "Future[MediaEngine]", settings: "Settings", lock: "DataFolderLock", options: RunOptions
) -> int:
    from pbx.collector import Collector
    from pbx.web_process import WebProcess
    from storage.sql import open_storage

    web = WebProcess(settings, lock.data)
    try:
        web.start()  # beside the server, whose control socket it waits for
        import features  # noqa: F401 - both are large: now, while the other processes come up
        import pbx.runtime  # noqa: F401

        _complete_recordings(lock.data / "recordings")
        storage = open_storage(settings.storage.url, lock.data)
        try:
            office, demo = await _office(storage, lock.data, options.office)
            server = _server(settings, lock, storage, await opening, office, options.config)
            listeners = await server.start()
            try:
                await web.ready()
                Collector.begin()
                _say_ready(office, demo, listeners, web)
                await _until_stopped(server, settings.drain_timeout)
            finally:
                await web.stop()
                await server.stop()
        finally:
            await storage.close()
    finally:
        await web.stop()
    return AGAIN if server.wants_restart else 0


def _say_ready(office: "Office", demo: Path | None, listeners: str, web: "WebProcess") -> None:
    if demo is not None:
        print(_welcome(office, demo, listeners))
    if web.password:
        print(f"Web and API: {web.url}, first sign-in: admin, one-time password {web.password}")
    print(f"zvon ready sip={listeners} web={web.url}", flush=True)


async def _close(opening: "Future[MediaEngine]") -> None:
    """Close the engine; one that is still coming up is given up."""
    import asyncio

    opening.cancel()
    try:
        engine = await opening
    except (Exception, asyncio.CancelledError):
        return  # why it did not open has been told
    await engine.close()


def _complete_recordings(folder: Path) -> None:
    """What a crash left unfinished."""
    import structlog

    from media.record.wav_file import recover

    for path in recover(folder):
        structlog.get_logger("recording").warning("a recording that was cut short has been completed", file=str(path))


async def _run_edge(settings: "Settings", lock: "DataFolderLock", file: Path | None) -> int:
    from pbx.collector import Collector
    from pbx.proxy import EdgeServer
    from storage.memory import MemoryStorage

    server = EdgeServer(settings, lock, MemoryStorage(), file)
    listeners = await server.start()
    Collector.begin()
    print(f"zvon ready sip={listeners} web=", flush=True)
    try:
        await _until_stopped(server, settings.drain_timeout)
    finally:
        await server.stop()
    return 0


async def _office(storage: "Storage", data: Path, file: Path | None) -> tuple["Office", Path | None]:
    """The office to start with, and the demo document it came from. A first start without one makes a demo office."""
    from conf.demo import write_demo_office
    from conf.load import load_office
    from storage.records import Office

    office = await storage.offices.load()
    demo = data / "office.toml"
    if file is not None:
        office = load_office(file, office)
        await storage.offices.save(office)
        return office, None
    if office == Office():
        office = load_office(demo, office) if demo.exists() else write_demo_office(demo)
        await storage.offices.save(office)
    return office, demo if demo.exists() else None


def _engine_config(settings: "Settings") -> "EngineConfig":
    from media.config import EngineConfig

    media = settings.media
    embedded = media.workers == "embedded"
    workers = media.workers if isinstance(media.workers, int) else 0
    return EngineConfig(media.ports.first, media.ports.last, workers=workers, embedded=embedded)


def _server(
    settings: "Settings",
    lock: "DataFolderLock",
    storage: "Storage",
    engine: "MediaEngine",
    office: "Office",
    file: Path | None,
) -> "Server":
    from features import make_apps
    from pbx.runtime import Server

    return Server(settings, lock, storage, engine, office, apps=make_apps(), settings_file=file)


async def _until_stopped(server: "Server | EdgeServer", drain_s: float) -> None:
    """Until a signal: SIGTERM drains, SIGINT or a second signal stops now."""
    import asyncio
    import signal

    from pbx.collector import Collector

    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()
    draining: set[asyncio.Task[None]] = set()

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    def drain() -> None:
        if draining:
            stop()
            return
        task = asyncio.ensure_future(server.drain(drain_s))
        task.add_done_callback(lambda _: stop())
        draining.add(task)

    loop.add_signal_handler(signal.SIGTERM, drain)
    loop.add_signal_handler(signal.SIGINT, stop)
    collecting = asyncio.ensure_future(Collector().run(lambda: server.is_quiet))
    await stopped
    for task in (*draining, collecting):
        task.cancel()


def _welcome(office: "Office", document: Path, listeners: str) -> str:
    """What to type into a phone."""
    rows = [f"  {t.number}   {t.password}" for t in office.terminals if t.password]
    return "\n".join(
        [
            f"Office of {document}; SIP accounts (number, password), server {listeners}:",
            *rows,
            "Dial a colleague's number, 500 (queue of 102 and 104), 600 (all of them), 700 (menu), 800 (conference),",
            "000063 (says your number), 10003246 (echo), 000064 (1000 Hz tone) or 000065 (records and plays back).",
        ]
    )


if __name__ == "__main__":
    main()
