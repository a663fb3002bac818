"""What a rule is worth, by simulation: ``python -m tests.bench.decide``.

A world makes candidates: a share of them improves the trainer by an effect; of the others, half change nothing and half
do harm (exponential, one sigma in the mean). A score is the tree's quality plus noise; sigma is the noise of one run.
The noise is of two kinds:

  shared   a seed moves all trees alike; what is left at one seed is half of sigma, as measured on the MLX trainer.
           The same seed on both sides is worth a lot then.
  own      a seed moves every tree in its own way: comparing seed by seed brings nothing.

Every rule has the same number of runs, those of the baseline included, and its last step may be cut off. Printed are
the true gain of the final state in sigmas, the share of KEEPs that are truly no improvement, and the runs per
candidate. ``confirm`` is made of the functions that gitexp ships; a test holds this loop to decide().
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gitexp.ledger.noise import Noise
from gitexp.verdict.confirm import Confirm, Move
from gitexp.verdict.lead import compare

SHARES = (0.05, 0.10, 0.15, 0.30)
EFFECTS = (0.3, 0.7, 1.5, 3.0)
AT_ONE_SEED = 0.5  # noise that is left between runs with one seed where seeds are shared, in sigmas
RESAMPLED = list(itertools.product(range(3), repeat=3))


@dataclass(frozen=True, slots=True)
class World:
    share: float
    effect: float
    shared: bool
    drawn: bool = False  # effects are exponential, with this mean

    def __str__(self) -> str:
        return f"{self.share:4.0%} of {self.effect:.1f}, {'shared' if self.shared else 'own'}"

    def effects(self, random: np.random.Generator, number: int) -> list[float]:
        good = self.effect * (random.exponential(size=number) if self.drawn else 1)
        bad = np.where(random.random(number) < 0.5, 0, -random.exponential(size=number))
        return list(np.where(random.random(number) < self.share, good, bad).tolist())


class SpentError(Exception):
    """No run is left."""


class Trial:
    """One experiment in a world; higher scores are better."""

    def __init__(self, world: World, runs: int, random: np.random.Generator) -> None:
        left = AT_ONE_SEED if world.shared else 1.0
        self.effects = world.effects(random, runs)
        self.noise = (left * random.normal(size=runs)).tolist()
        self.seeds = ((1 - left**2) ** 0.5 * random.normal(size=runs)).tolist()
        self.quality = 0.0
        self.candidates = 0
        self.kept: list[float] = []

    def incumbent(self, seed: int) -> float:
        if not self.noise:
            raise SpentError
        return float(self.quality + self.seeds[seed] + self.noise.pop())

    def candidate(self, seed: int) -> float:
        return self.incumbent(seed) + self.effects[self.candidates]

    def judged(self, kept: bool) -> None:
        effect = self.effects[self.candidates]
        self.candidates += 1
        if kept:
            self.quality += effect
            self.kept.append(effect)


Rule = Callable[[Trial], None]  # goes on until the trial is spent


def greedy(trial: Trial) -> None:
    best = trial.incumbent(0)
    while True:
        score = trial.candidate(0)
        trial.judged(score > best)
        best = max(best, score)


def bootstrap(paired: bool) -> Rule:
    """Three seeds; KEEP when the mean of 95 % of all resamples is better. A first run that is not better ends it."""

    def surely_better(mine: Sequence[float], theirs: Sequence[float]) -> bool:
        ours = [sum(mine[i] for i in picked) for picked in RESAMPLED]
        others = [sum(theirs[i] for i in picked) for picked in RESAMPLED]
        pairs = zip(ours, others, strict=True) if paired else itertools.product(ours, others)
        return statistics.fmean(one > other for one, other in pairs) >= 0.95

    def rule(trial: Trial) -> None:
        theirs = [trial.incumbent(seed) for seed in range(3)]
        while True:
            mine = [trial.candidate(0)]
            if mine[0] > theirs[0]:
                mine += [trial.candidate(1), trial.candidate(2)]
            better = len(mine) == 3 and surely_better(mine, theirs)
            trial.judged(better)
            theirs = mine if better else theirs

    return rule


def confirm(rule: Confirm, baseline: int = 3) -> Rule:
    def follow(trial: Trial) -> None:
        theirs = {seed: trial.incumbent(seed) for seed in range(baseline)}
        before: dict[int, float] = {}  # the incumbent that theirs beat
        past = Noise()  # of all trees but theirs
        while True:
            mine, now = {0: trial.candidate(0)}, Move.INCUMBENT
            while now not in (Move.KEEP, Move.DROP):
                noise = past.with_runs(theirs).with_pairs(theirs, before)
                now = rule.move(compare(mine, theirs, noise), len(mine), len(theirs))
                if now is Move.CANDIDATE:
                    mine[len(mine)] = trial.candidate(len(mine))
                elif now is Move.INCUMBENT:
                    theirs[len(theirs)] = trial.incumbent(len(theirs))
            trial.judged(now is Move.KEEP)
            if now is Move.KEEP:
                past, before, theirs = noise, theirs, mine
            else:
                past = past.with_runs(mine).with_pairs(mine, theirs)

    return follow


MAIN: dict[str, Rule] = {
    "greedy": greedy,
    "bootstrap-3": bootstrap(paired=False),
    "bootstrap-3, paired": bootstrap(paired=True),
    "confirm": confirm(Confirm()),
}
FRONTIER: dict[str, Rule] = {
    **{f"strict={strict}": confirm(Confirm(strict=strict)) for strict in (0.8, 1.0, 1.5, 2.0)},
    **{f"drop={drop}": confirm(Confirm(drop=drop)) for drop in (0.2, 1.0)},
    **{f"replicates={number}": confirm(Confirm(number)) for number in (2, 4, 6)},
    "baseline run twice": confirm(Confirm(), baseline=2),
}


@dataclass(frozen=True, slots=True)
class Figures:
    gain: float
    false: float
    cost: float

    def __str__(self) -> str:
        return f"{self.gain:7.2f} {self.false:5.1%} {self.cost:5.2f}"


def measure(world: World, rule: Rule, runs: int, repetitions: int) -> Figures:
    """The repetitions are the same candidates and the same seeds for every rule."""
    key = [runs, round(100 * world.share), round(10 * world.effect), world.shared, world.drawn]
    trials = [Trial(world, runs, np.random.default_rng([*key, repetition])) for repetition in range(repetitions)]
    for trial in trials:
        try:
            rule(trial)
        except SpentError:
            continue
    kept = [effect for trial in trials for effect in trial.kept]
    return Figures(
        statistics.fmean(trial.quality for trial in trials),
        sum(effect <= 0 for effect in kept) / max(len(kept), 1),
        runs * repetitions / sum(trial.candidates for trial in trials),
    )


def mean(figures: Sequence[Figures]) -> Figures:
    columns = zip(*((each.gain, each.false, each.cost) for each in figures), strict=True)
    return Figures(*map(statistics.fmean, columns))


def print_means(table: dict[str, list[Figures]], worlds: Sequence[World]) -> None:
    means = {name: mean(figures) for name, figures in table.items()}
    print(f"  {'mean of the worlds':19}    gain false  cost | gain/greedy false/bootstrap-3 |   shared    |     own")
    for name, of in means.items():
        halves = (
            mean([each for each, world in zip(table[name], worlds, strict=True) if world.shared == shared])
            for shared in (True, False)
        )
        each = " | ".join(f"{half.gain:5.2f} {half.false:5.1%}" for half in halves)
        ratios = f"{of.gain / means['greedy'].gain:11.2f} {of.false / means['bootstrap-3'].false:17.2f}"
        print(f"  {name:19} {of} | {ratios} | {each}", flush=True)


def study(title: str, rules: dict[str, Rule], runs: int, repetitions: int, drawn: bool = False, rows: int = 0) -> None:
    """The first so many rules are printed for each world, and all rules in the mean."""
    worlds = [World(share, size, kind, drawn) for kind in (True, False) for size in EFFECTS for share in SHARES]
    print(f"\n{title}: {runs} runs, {repetitions} repetitions; gain in sigmas, false KEEPs, runs per candidate")
    if rows:
        print(" " * 22 + " | ".join(f"{name:19}" for name in list(rules)[:rows]))
    table: dict[str, list[Figures]] = {name: [] for name in rules}
    for world in worlds:
        for name, rule in rules.items():
            table[name].append(measure(world, rule, runs, repetitions))
        if rows:
            cells = [str(figures[-1]) for figures in table.values()][:rows]
            print(f"  {world!s:19} " + " | ".join(cells), flush=True)
    print_means(table, worlds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.decide", description=__doc__.split("\n")[0])
    parser.add_argument("--repetitions", type=int, default=100, help="of each world, at 100 runs (100)")
    number = parser.parse_args().repetitions
    print(f"confirm is: {Confirm()}. The rules below it differ from it in what their names say.")
    study("Effects of one size", MAIN | FRONTIER, 100, number, rows=6)
    study("Effects drawn, exponential with that mean", MAIN, 100, number, drawn=True)
    study("Short experiments", MAIN, 50, number)
    study("Long experiments", MAIN, 300, max(number // 5, 1))


if __name__ == "__main__":
    main()
