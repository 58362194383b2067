"""The media core. `open_engine` is the way in; everything that crosses the border is in `media.api`."""

from media.api import MediaEngine
from media.config import EngineConfig

__all__ = ["EngineConfig", "MediaEngine", "open_engine"]


async def open_engine(config: EngineConfig) -> MediaEngine:
    """An engine in this process or in workers, ready for commands; raises `WorkerFailed` or OSError with a sentence."""
    if config.embedded:
        from media.engine.embedded import EmbeddedEngine
        from media.engine.limits import raise_file_limit

        raise_file_limit()
        return EmbeddedEngine(config)
    from media.worker.supervisor import MediaSupervisor

    supervisor = MediaSupervisor(config)
    await supervisor.start()
    return supervisor
