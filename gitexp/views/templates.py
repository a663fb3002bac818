"""The templates that ship with gitexp, as Jinja fills them: a value that is missing is an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gitexp.resources import data_dir


@cache
def markdown_template(name: str) -> Template:
    """A template of Markdown for people, who see text and not markup: nothing is escaped."""
    environment = Environment(
        loader=FileSystemLoader(data_dir("templates")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701  no browser reads it
    )
    return environment.get_template(name)


def html_template(name: str, shown: Callable[[object], object]) -> Template:
    """A template of HTML for browsers: what is put in is first made by ``shown``, and then escaped."""
    environment = Environment(
        loader=FileSystemLoader(data_dir("templates")),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
