"""python -m tests.bench [NAME...]: what gitexp itself costs, each row beside its baseline. Nothing asserts on it."""

from __future__ import annotations

import json
import time

import click

from tests.bench.harness import Result, close, measure, rows

NAMES = [row.name for row in rows()]


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--rounds", default=7, show_default=True, help="Measurements of each side, alternating.")
@click.option("--json", "json_", is_flag=True, help="One JSON object a row.")
def main(names: tuple[str, ...], rounds: int, json_: bool) -> None:
    """Measure the rows NAMES, or all."""
    if not json_:
        click.echo(
            "| what | against | ratio (lowest to highest) | aim | milliseconds |\n| --- | --- | --- | --- | --- |"
        )
    try:
        for row in rows():
            if not names or row.name in names:
                result = measure(row, rounds)
                click.echo(_json(result) if json_ else _line(result))
    finally:
        close()


def _json(result: Result) -> str:
    row = result.row
    facts = {"name": row.name, "what": row.what, "against": row.against, "aim": row.aim, "at": time.time()}
    figures = {key: getattr(result, key) for key in ("ratio", "low", "high", "seconds", "baseline")}
    return json.dumps(facts | figures)


def _line(result: Result) -> str:
    row = result.row
    return (
        f"| {row.what} | {row.against} | {result.ratio:.2f} ({result.low:.2f} to {result.high:.2f}) | {row.aim:g} | "
        f"{result.seconds * 1000:.1f} against {result.baseline * 1000:.1f} |"
    )


if __name__ == "__main__":
    main()
