"""The report: one HTML file that opens without network or server, and runs no script but gitexp's and BokehJS.

What people, agents and runs wrote stays text: Jinja escapes it, the data for the scripts is JSON without ``<``, and the
scripts set elements by their text only. Should all of that fail, the page's Content-Security-Policy forbids every
request, and every script but those whose hashes it names.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

from gitexp.errors import GitexpError
from gitexp.extras import needs_extra
from gitexp.files import open_file, write_output
from gitexp.git.repository import Repository
from gitexp.ledger.experiment_files import ExperimentFiles
from gitexp.ledger.ledger import Ledger
from gitexp.resources import read_data
from gitexp.text import printable
from gitexp.version import VERSION
from gitexp.views.json_schema import dumps
from gitexp.views.report_data import chart_data, chart_points
from gitexp.views.report_details import Details, gather
from gitexp.views.report_text import report_text
from gitexp.views.templates import html_template

MARK = "<!doctype html>\n<!-- A report of gitexp's. -->\n"  # the beginning of a report: only such a file is overwritten
SCRIPTS = ("drawing.js", "pointing.js", "charts.js", "curves.js", "details.js", "report.js")
TEXT = 1500  # characters of any one text that is not in the details


def available() -> bool:
    """Whether Bokeh, which draws the charts, is installed: it is an extra."""
    return importlib.util.find_spec("bokeh") is not None


def default_file(repo: Repository, ledger: Ledger) -> Path:
    """Where the report is written unless a person says: in the git directory, which a bare repository has too."""
    return ExperimentFiles.of(repo, ledger.name).directory / "report.html"


def write(repo: Repository, ledger: Ledger, output: Path | None = None, reload: int = 0) -> Path:
    """Write the report to ``output``, or to :func:`default_file`, and return that. ``reload`` is as for :func:`html`.

    Raises :class:`GitexpError` rather than overwrite a file that is not a report, or where Bokeh is not installed.
    """
    file = output or default_file(repo, ledger)
    if file.is_file() and not _is_report(file):
        raise GitexpError(f"{file} exists, and is not a report that gitexp wrote.", "gitexp report -o ANOTHER.html")
    write_output(file, html(ledger, gather(repo, ledger), reload).encode())
    return file


def _is_report(file: Path) -> bool:
    with open_file(file, follow=True) as there:
        return there.read(len(MARK)) in (b"", MARK.encode())  # an empty file has nothing to lose


def html(ledger: Ledger, details: Details, reload: int = 0) -> str:
    """The page. After ``reload`` seconds it looks for a newer one; 0: it does not."""
    points = chart_points(ledger)
    text = report_text(ledger, points, details)
    data = chart_data(ledger, points, details, text.noise) | {"reload": reload}
    scripts = [*_library(), *(_source(name) for name in SCRIPTS)]
    page = html_template("report.html.j2", _shown).render(
        report=text,
        data=Markup(safe_json(data)),  # noqa: S704  escaped there
        style=Markup(_source("report.css")),  # noqa: S704  ours
        scripts=[Markup(script) for script in scripts],  # noqa: S704  ours, and the library's
        policy=_policy(scripts),
        version=VERSION,
    )
    return MARK + page


def _shown(value: object) -> object:
    """A value as the template prints it: text is made printable, and cut to ``TEXT`` characters."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable(value if len(value) <= TEXT else value[:TEXT] + "…")


def safe_json(value: object) -> str:
    """JSON in which no HTML parser finds an element: ``<``, ``>`` and ``&`` are escaped."""
    text = dumps(value)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _source(name: str) -> str:
    return read_data("templates", "report", name).decode()


def _library() -> list[str]:
    """The JavaScript of BokehJS, and that of its plotting interface."""
    with needs_extra("A report", "report"):
        from bokeh.resources import Resources
    scripts = Resources(mode="inline", components=["bokeh", "bokeh-api"]).js_raw[:2]  # then come scripts that start it
    return [script.replace("</script", "<\\/script") for script in scripts]


def _policy(scripts: Iterable[str]) -> str:
    """The Content-Security-Policy: nothing but ``scripts``, and the styles that BokehJS makes as it draws."""
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
