"""The manual page ``gitexp.1``, made of the commands' own help; and the build backend that puts it into the wheel.

The backend is setuptools', which pyproject.toml names through this module. Before a wheel is built it writes the pages
that setup.cfg lists as data files. (click-man would write one page for each command, and be one more dependency.)
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

from gitexp.cli import COMMANDS, cli
from gitexp.cli.help import listed
from gitexp.files import write_file

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

FOLDER = Path("build", "man")  # as in setup.cfg


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """What a front end such as pip calls (PEP 517), in the folder of pyproject.toml. Returns the wheel's file name."""
    write_file(FOLDER / "gitexp.1", page().encode())
    write_file(FOLDER / "git-exp.1", b".so man1/gitexp.1\n")  # `git exp --help` asks man for git-exp
    name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    return name


def page() -> str:
    """The page as man(7) source: what gitexp is, and each command with its options."""
    top = click.Context(cli, info_name="gitexp", **cli.context_settings)
    lines = [
        '.TH GITEXP 1 "" gitexp "gitexp manual"',
        ".SH NAME",
        _text(f"gitexp - {cli.get_short_help_str(200)}".rstrip(".")),
    ]
    lines += [".SH SYNOPSIS", ".B gitexp", _text("COMMAND [OPTIONS] [ARGUMENTS]")]
    lines += [".SH DESCRIPTION", *_paragraphs(cli.help or ""), ".SH COMMANDS"]
    for name in COMMANDS:
        command = cli.get_command(top, name)
        assert command
        lines += _command(command, click.Context(command, info_name=name, parent=top))
    lines += [".SH SEE ALSO", ".PP", "The chapters of the manual:", ".nf", *map(_text, listed()), ".fi"]
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f".SS {_text(' '.join([context.command_path, *command.collect_usage_pieces(context)]))}"
    yield from _paragraphs(command.help or "")
    for option in command.params:
        if isinstance(option, click.Option) and (record := option.get_help_record(context)):
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command(inner, click.Context(inner, info_name=name, parent=context))


def _paragraphs(help_text: str) -> Iterator[str]:
    """Help as click has it: paragraphs, of which those that begin with a backspace keep their lines."""
    for paragraph in cleandoc(help_text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from (".PP", ".nf", *map(_text, paragraph[2:].split("\n")), ".fi")
        else:
            yield from (".PP", _text(" ".join(paragraph.split())))


def _text(line: str) -> str:
    """``line`` as it is: no backslash escapes, hyphens can be searched for, and a dot in front is no request."""
    escaped = line.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
