"""Templates: the trainers that come with gitexp, from which an experiment may start."""

from __future__ import annotations

from dataclasses import dataclass

from gitexp.resources import read_data


@dataclass(frozen=True, slots=True)
class Template:
    """A folder of ``templates``: the script to improve, and the frozen files that prepare its data and score it."""

    name: str
    script: str
    frozen: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The script, then the frozen files, relative to the folder that they go into."""
        return (self.script, *self.frozen)

    def contents(self) -> dict[str, bytes]:
        """The contents of the files, by path."""
        return {path: read_data("templates", self.name, path) for path in self.paths}


MLX = Template("mlx", "train.py", ("prepare.py", "kernels.py", "evaluate.py"))
TEMPLATES = {template.name: template for template in (MLX,)}
