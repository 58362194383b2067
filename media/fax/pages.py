"""`python -m media.fax.pages SOURCE TARGET`: the pages of a fax (TIFF) as PDF, or pages (TIFF, PNG, JPEG) as a TIFF
file that a fax can send.

The target appears complete or not at all; what went wrong is the last line on standard error.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageSequence, UnidentifiedImageError

WIDTH, ACROSS_DPI, DOWN_DPI = 1728, 204, 196  # A4 in fine resolution (T.4)
MAX_PAGES = 500
PDF_DPI = 204


class BadPages(Exception):
    """The message is a sentence."""


def to_pdf(source: Path, target: Path) -> None:
    """Each page in its own size; raises `BadPages` or OSError."""
    _save([_square(page) for page in _pages(source)], target, "PDF", resolution=PDF_DPI)


def to_fax(source: Path, target: Path) -> None:
    """Black and white, as wide as a fax; raises `BadPages` or OSError."""
    pages = [_fitted(page) for page in _pages(source)]
    _save(pages, target, "TIFF", compression="group4", dpi=(ACROSS_DPI, DOWN_DPI))


def _pages(source: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(source) as image:
            if getattr(image, "n_frames", 1) > MAX_PAGES:
                raise BadPages(f"{source} has more than {MAX_PAGES} pages.")
            for page in ImageSequence.Iterator(image):
                yield page.copy()
    except (UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError):
        raise BadPages(f"{source} has no pages that can be read.") from None


def _square(page: Image.Image) -> Image.Image:
    """Lines of a coarse page are as far apart as they are on paper."""
    across, down = (float(each) for each in page.info.get("dpi", (PDF_DPI, PDF_DPI)))
    height = round(page.height * PDF_DPI / down) if down > 1 else page.height
    width = round(page.width * PDF_DPI / across) if across > 1 else page.width
    return page if (width, height) == page.size else page.resize((width, height), Image.Resampling.NEAREST)


def _fitted(page: Image.Image) -> Image.Image:
    grey = page.convert("L")
    height = max(1, round(page.height * WIDTH / page.width * DOWN_DPI / ACROSS_DPI))
    return grey.resize((WIDTH, height)).convert("1")


def _save(pages: list[Image.Image], target: Path, kind: str, **how: object) -> None:
    fresh = target.with_name(f"{target.name}.new")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        pages[0].save(fresh, kind, save_all=True, append_images=pages[1:], **how)
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


def main() -> int:
    os.nice(19)
    source, target = map(Path, sys.argv[1:3])
    try:
        (to_pdf if target.suffix == ".pdf" else to_fax)(source, target)
    except BadPages as bad:
        print(bad, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{target} cannot be made of {source}: {error.strerror or error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
