"""The manual's chapter on JSON, made of the shapes in :mod:`gitexp.views.json_schema`.

python -m tests.json_manual   # writes gitexp/manual/json.md
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

from gitexp.resources import data_dir
from gitexp.views import json_schema
from gitexp.views.json_schema import (
    CountsJson,
    ExperimentJson,
    FindingJson,
    IterationJson,
    LoopEndJson,
    PlanJson,
    SettingJson,
    StatusJson,
    StepJson,
    VerifiedJson,
)

# What each command prints, and of which shapes. A list is a JSON array of them; else they stand in a line each.
PRINTED: dict[str, list[type] | tuple[type, ...]] = {
    "gitexp step --json": (StepJson,),
    "gitexp loop --json": (StepJson, LoopEndJson),
    "gitexp sweep --json": (StepJson, LoopEndJson),
    "gitexp sweep --dry-run --json": (SettingJson, PlanJson),
    "gitexp log --json": [IterationJson],
    "gitexp log --all --json": [ExperimentJson],
    "gitexp best --json": (IterationJson,),
    "gitexp status --json": (StatusJson,),
    "gitexp verify --json": (VerifiedJson,),
    "gitexp fsck --json": [FindingJson],
}
EXTENDED: dict[type, type] = {StepJson: IterationJson, ExperimentJson: CountsJson}
WORDS = {int: "integer", float: "number", str: "string", bool: "true or false"}
WIDTH = 80
HEAD = """\
# JSON: the objects that `--json` and the post-step hook print, key by key

A program that reads gitexp takes `--json`. Each object stands on one line, and
an iteration has the same keys and the same values wherever it is printed. No
number is NaN or infinite. A later gitexp may add keys; when it drops one, or
changes what one says, the number `schema` grows.

"""


def shapes() -> list[type]:
    """Every shape there is, in the order of the module."""
    return [value for value in vars(json_schema).values() if is_typeddict(value)]


def keys(shape: type) -> dict[str, tuple[Any, str]]:
    """By key of a shape, its type and what it says; those of the shape that it extends are left out."""
    inherited = get_type_hints(EXTENDED[shape]) if shape in EXTENDED else {}
    hints = get_type_hints(shape, include_extras=True)
    return {name: get_args(hint) for name, hint in hints.items() if name not in inherited}


def type_words(hint: Any) -> str:
    """A type as a person reads it: ``array of number, or null``."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is UnionType:
        some, none = args
        assert none is NoneType
        return f"{type_words(some)} or null"
    if origin is Literal:
        return " or ".join(map(str, args))
    if origin is list:
        return f"array of {type_words(args[0])}"
    if origin is tuple:
        return f"[{', '.join(map(type_words, args))}]"
    if origin is dict:
        return f"object of {type_words(args[1])}"
    return f"`{title(hint)}`" if is_typeddict(hint) else WORDS[hint]


def title(shape: type) -> str:
    return shape.__name__.removesuffix("Json")


def text() -> str:
    """The chapter."""
    return HEAD + "\n".join([*_commands(), *(line for shape in shapes() for line in _section(shape))]) + "\n"


def _commands() -> Iterator[str]:
    yield from ("| what prints it | what is printed |", "| --- | --- |")
    for command, printed in PRINTED.items():
        names = " lines, then one ".join(f"`{title(shape)}`" for shape in printed)
        yield f"| `{command}` | {f'an array of {names}' if isinstance(printed, list) else names} |"
    yield f"| the post-step hook, on its standard input | `{title(StepJson)}` |"


def _section(shape: type) -> Iterator[str]:
    yield from ("", f"## {title(shape)}", "")
    about = " ".join((shape.__doc__ or "").split())
    if shape in EXTENDED:
        about += f" It has the keys of `{title(EXTENDED[shape])}`, and these:"
    yield from textwrap.wrap(about, WIDTH, break_on_hyphens=False)
    yield ""
    for name, (hint, said) in keys(shape).items():
        item = f"- `{name}`: {type_words(hint)}. {said}"
        yield from textwrap.wrap(item, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


if __name__ == "__main__":
    (data_dir("manual") / "json.md").write_text(text())
