"""`python -m media.files.measure FILE…`: how long sound files are, or why they cannot be played, as lines of JSON.

The files are read to their end, since what they claim of their length may be wrong.
"""

import json
import os
import sys

from media.files.bad import BadSound
from media.files.decode import load_sound


def measure(path: str) -> tuple[float, str]:
    """Seconds, and the sentence that says why it cannot be played or nothing."""
    try:
        return round(load_sound(path).seconds(), 2), ""
    except BadSound as bad:
        return 0.0, str(bad)


def main() -> int:
    os.nice(19)
    for path in sys.argv[1:]:
        print(json.dumps(measure(path)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
