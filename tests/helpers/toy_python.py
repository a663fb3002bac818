"""A Python for the packaged hook that runs the toy trainer in 3 ms instead of 40; anything else is real Python's."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote

from tests.helpers.repositories import TOY

SCRIPT = r"""#!/bin/sh
# LR = <a plain number>, and the toy's other lines as they are
rest={rest}
[ -f "$1" ] || exec {python} "$@"
text=$(cat "$1")
value=${{text#LR = }}
value=${{value%"$rest"}}
[ "$text" = "LR = $value$rest" ] || exec {python} "$@"
case ${{value#-}} in
'' | . | *[!0-9.]* | *.*.*) exec {python} "$@" ;;
esac
exec awk "BEGIN {{
    printf \"---\nval_bpb: %.6f\n\", 2 + ($value - 0.3) ^ 2
    print \"peak_memory_mb: 12.5\nnum_steps: 7\"
}}"
"""


def write(folder: Path) -> Path:
    """Write the script into ``folder``; its path."""
    script = folder / "toy-python"
    rest = "\n" + TOY.partition("\n")[2].rstrip("\n")
    script.write_text(SCRIPT.format(rest=quote(rest), python=quote(sys.executable)))
    script.chmod(0o755)
    return script
