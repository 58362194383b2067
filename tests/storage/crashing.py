"""A process for `test_crash`: stores what its arguments say, tells when, then waits to be killed.

`python -m tests.storage.crashing FOLDER COUNT`
"""

import asyncio
import sys
from pathlib import Path

from storage.sql import open_storage
from tests.storage.examples import cdr, registration


async def main(folder: str, count: int) -> None:
    storage = open_storage("sqlite:///zvon.db", Path(folder))
    storage.locations.put("sip:101@zvon", (registration(),))
    for number in range(count):
        storage.cdrs.append(cdr(str(number)))
    print("appended", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
