"""What gitexp itself costs, each row beside its baseline: python -m tests.bench [NAME...]. Nothing asserts on it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from textwrap import fill

import click

from . import growth, table
from .harness import Row, measure
from .places import close
from .processes import FailedError, MissingError
from .rows import LARGE, LONG, Settings, rows

GROWTH = "growth"
DVC = Path(tempfile.gettempdir()) / "gitexp-bench-dvc"
ROWS = rows(Settings(DVC))
A_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(epilog="\b\n" + fill("Rows: " + ", ".join(row.name for row in ROWS), 78, break_on_hyphens=False))
@click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice([*(row.name for row in ROWS), GROWTH]))
@click.option("--rounds", default=7, show_default=True, help="Measurements of each side, alternating.")
@click.option("--json", "json_", is_flag=True, help="One JSON object a row.")
@click.option("--manual", is_flag=True, help="Also put what is measured into the manual's table.")
@click.option("--steps", default=10_000, show_default=True, help="disk: how many steps to take.")
@click.option("--dvc-env", type=A_FOLDER, default=DVC, show_default=True, help="loop-dvc: dvc's environment.")
@click.option("--longest", default=LONG, show_default=True, help="growth: iterations of the longest history.")
@click.option("--largest", default=LARGE, show_default=True, help="growth: files of the largest repository.")
@click.option("--plot", type=A_FOLDER, help="growth: a folder for its picture, as PNG and SVG.")
def main(
    names: tuple[str, ...],
    rounds: int,
    json_: bool,
    manual: bool,
    steps: int,
    dvc_env: Path,
    longest: int,
    largest: int,
    plot: Path | None,
) -> None:
    """Measure the rows NAMES, or all of them; or, with growth, each cost by the length of history and by files."""
    chosen = [row for row in rows(Settings(dvc_env, steps)) if row.name in names or not names]
    try:
        lines = measured(chosen, rounds, json_) if chosen else []
        if manual:
            table.write_manual(ROWS, lines)
        if GROWTH in names:
            _growth(growth.grown(longest, largest, rounds), json_, plot)
        if len(lines) < len(chosen):
            raise FailedError("Not all rows could be measured.")
    except FailedError as error:
        raise click.ClickException(str(error)) from None
    finally:
        close()


def measured(chosen: list[Row], rounds: int, json_: bool) -> list[str]:
    """The lines of the table, each printed as soon as it is known; below them what else there is to say.

    A row that failed says so on standard error, and has no line.
    """
    lines, notes = [], []
    if not json_:
        click.echo(table.HEAD)
    for row in chosen:
        try:
            result = measure(row, rounds)
            lines.append(table.line(result))
            click.echo(table.as_json(result) if json_ else lines[-1])
            notes += [f"{row.name}: {result.note}"] if result.note else []
        except MissingError as error:
            lines.append(table.missing(row, str(error)))
            click.echo(json.dumps({"name": row.name, "missing": str(error)}) if json_ else lines[-1])
        except FailedError as error:
            click.echo(f"{row.name}: {error}", err=True)
    if notes and not json_:
        click.echo("\n" + "\n".join(notes))
    return lines


def _growth(curves: list[growth.Curve], json_: bool, plot: Path | None) -> None:
    click.echo("\n".join(json.dumps(asdict(curve)) for curve in curves) if json_ else growth.markdown(curves))
    for file in growth.draw(curves, plot) if plot else ():
        click.echo(file, err=True)


if __name__ == "__main__":
    main()
