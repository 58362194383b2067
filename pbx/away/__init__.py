"""Servers elsewhere that take files: SFTP, FTP and WebDAV (CFG-7)."""

from pathlib import Path

from conf.schema import AwaySettings
from pbx.away.place import Place, PlaceFailed

__all__ = ["Place", "PlaceFailed", "place_of"]


def place_of(settings: AwaySettings, data: Path) -> Place:
    """The one that the settings name; a library is loaded where it is used. `data`: the data folder, for what is
    remembered of the server."""
    match settings.protocol:
        case "sftp":
            from pbx.away.sftp import Sftp

            return Sftp(settings, data)
        case "ftp":
            from pbx.away.ftp import Ftp

            return Ftp(settings)
        case _:
            from pbx.away.webdav import WebDav

            return WebDav(settings)
