"""Sections of a page that commands write: what stands between `<!-- name -->` and `<!-- /name -->`."""

import re
import sys
from pathlib import Path


def read_section(page: Path, name: str) -> list[str]:
    """Return the lines of a section of a page; ends the command when the page does not have it."""
    found = re.search(rf"<!-- {name} -->\n(.*)<!-- /{name} -->", page.read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        sys.exit(f"{page}: expected the markers `<!-- {name} -->` and `<!-- /{name} -->`, found none")
    return found[1].splitlines()


def replace_section(page: Path, name: str, text: str) -> None:
    """Replace a section of a page; ends the command when the page does not have it exactly once."""
    changed, n_found = re.subn(
        rf"<!-- {name} -->.*<!-- /{name} -->",
        lambda _: f"<!-- {name} -->\n{text}\n<!-- /{name} -->",
        page.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    if n_found != 1:
        sys.exit(
            f"{page}: expected the markers `<!-- {name} -->` and `<!-- /{name} -->` once, found {n_found}"
        )
    page.write_text(changed, encoding="utf-8")
