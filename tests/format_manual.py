"""The specification in the manual's chapter on the format, made of the docstring of :mod:`gitexp.ledger.trailers`.

python -m tests.format_manual   # writes gitexp/manual/format.md
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from gitexp.ledger import trailers
from gitexp.resources import data_dir

WIDTH = 80
HEADING = "## The specification\n\n"
FILE = data_dir("manual") / "format.md"


def text() -> str:
    """The chapter: what stands above the specification as it is, and the specification made anew."""
    above = FILE.read_text().partition(HEADING)[0]
    source = "It is made of the docstring of [trailers.py](../ledger/trailers.py)."
    return "\n\n".join([above + HEADING + source, *specification(trailers.__doc__ or "")]) + "\n"


def specification(docstring: str) -> Iterator[str]:
    """Each paragraph in Markdown: literal blocks are fenced, and a table's rows become a list."""
    for paragraph in docstring.strip().split("\n\n"):
        if paragraph.startswith(" "):
            yield f"```text\n{textwrap.dedent(paragraph)}\n```"
        elif paragraph.startswith("==="):
            rows = (row.split(maxsplit=1) for row in paragraph.split("\n")[1:-1])
            yield "\n".join(_wrapped(f"``{key}``: {meaning}", "- ") for key, meaning in rows)
        else:
            yield _wrapped(re.sub("::$", ":", paragraph))


def _wrapped(paragraph: str, bullet: str = "") -> str:
    """In lines of at most WIDTH characters, none of which ends within a code span."""
    code = re.sub(r"``(.*?)``", lambda span: f"`{span[1]}`".replace(" ", "\0"), " ".join(paragraph.split()))
    indent = " " * len(bullet)
    wrapped = textwrap.fill(
        code, WIDTH, initial_indent=bullet, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapped.replace("\0", " ")


if __name__ == "__main__":
    FILE.write_text(text())
