"""KEEPs run again from their commits: the honest ones hold, the lucky and the forged do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command_line import Gitexp
from tests.helpers.ledgers import ledger_of
from tests.helpers.repositories import TOY, git, set_lr, state_of

pytestmark = pytest.mark.slow  # runs what was run before
NOISY = TOY.replace("LR = 0.1\n", "LR = 0.1\nimport os\nfrom pathlib import Path\n").replace(
    "(LR - 0.3) ** 2", "(LR - 0.3) ** 2 + int(os.environ['RANDOM_SEED']) / 1000 + LUCK"
)
LUCK = "(0 if LR != 0.25 else -0.2 if not Path('OVER').exists() else 1 / 0 if Path('OVER').is_dir() else 0)"


@pytest.fixture
def lived(folder: Path, gitexp: Gitexp, tmp_path: Path) -> Path:
    """exp001 is what it says; exp002 was lucky as long as there was no file ``over``."""
    luck = LUCK.replace("OVER", str(tmp_path / "over"))
    (folder / "train.py").write_text(NOISY.replace("LUCK", luck))
    git("commit", "-qam", "noisy")
    gitexp("init", "--budget", "5")
    for value in (0.2, 0.25, 5):
        set_lr(folder, value)
        gitexp("step", "-m", f"LR {value}")
    (tmp_path / "over").touch()
    return folder


def test_what_holds_and_what_does_not(lived: Path, gitexp: Gitexp) -> None:
    before = state_of(lived)
    done = gitexp("verify", code=1)
    one, two, end = done.stdout.splitlines()
    assert one.startswith("exp001 holds: 2.010")
    assert "sealed, 2.010000, 2.011000 now; " in one
    assert two.startswith("exp002 does not hold: 1.802500 sealed, 2.002500, 2.003500 now; worse than exp002 by 0.2")
    assert end == "2 KEEPs: not all hold."
    assert state_of(lived) == before
    assert git("worktree", "list", cwd=lived).count("\n") == 1


def test_those_that_are_named_or_drawn(lived: Path, gitexp: Gitexp) -> None:
    assert gitexp("verify", "exp001").stdout.startswith("exp001 holds")
    lines = gitexp("verify", "--sample", "1", "--json", code=None).stdout.splitlines()
    assert len(lines) == 1
    drawn = json.loads(lines[0])
    assert drawn["id"] in ("exp001", "exp002")
    assert [sample["seed"] for sample in drawn["samples"]] == [0, 1]
    assert "exp003 is a DISCARD, and only KEEPs are verified" in gitexp("verify", "exp003", code=1).stderr


def test_a_crash_does_not_hold(lived: Path, gitexp: Gitexp, tmp_path: Path) -> None:
    (tmp_path / "over").unlink()
    (tmp_path / "over").mkdir()
    done = gitexp("verify", "exp002", code=1)
    assert "exp002 does not hold: 1.802500 sealed, a crash now; it crashed: exit 1: ZeroDivisionError" in done.stdout


def test_with_nothing_kept_there_is_nothing_to_verify(experiment: Path, gitexp: Gitexp) -> None:
    assert "no KEEP but the baseline" in gitexp("verify").stdout
    assert gitexp("verify", "exp000").stdout.startswith("exp000 holds")
    assert ledger_of(experiment).iterations[1:] == ()
