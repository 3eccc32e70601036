"""Points of an over-optimization study: a proxy's score, gold's score and the KL that they were bought with.

One row of a file is one summary:

    {"run": "ppo-a", "method": "ppo", "beta": 0.05, "step": 400, "seed": 1, "document": "p17",
     "proxy": 2.31, "gold": 0.62, "kl": 11.8}

`method` is `best-of-n`, `start` (the policy before any optimization; its KL is 0) or the name of a training method,
whose rows need `kl`: log π(y) − log π_start(y) of that summary in nats, or its mean. Best-of-n rows with `n` hold the
chosen summary of n; without `n` they are a document's pool of candidates, from which the curve for every n follows.
Everything else may be left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...data.rows import Fields, text_of
from ...errors import BadInput, UserError
from ..jsonfields import label, needed, number, read_rows, whole
from .bestofn import best_of_n_kl, expected_best

K = TypeVar("K")
Floats = NDArray[np.float64]
BEST_OF_N, START = "best-of-n", "start"
KL, PROXY, GOLD = 0, 1, 2  # the last axis of `Study.values_DSE3`


@dataclass(frozen=True)
class Observation:
    """One row; None is unknown. `kl` is in nats and may be below 0 by the noise of sampling."""

    method: str
    kl: float
    gold: float | None
    proxy: float | None = None
    run: str = ""
    beta: float | None = None
    n: int | None = None
    step: int | None = None
    seed: str = "0"
    document: str = ""


@dataclass(frozen=True)
class Study:
    """One curve to be: S points in order, for D documents and E seeds; values are (KL, proxy, gold), NaN unknown.

    `over` says what the points differ in. `dropped` counts candidates of pools that lack a score.
    """

    title: str
    method: str
    over: str
    labels: tuple[str, ...]
    seeds: tuple[str, ...]
    documents: tuple[str, ...]
    values_DSE3: Floats
    dropped: int = 0

    @property
    def values_DS3(self) -> Floats:
        """The mean over the seeds that know a value."""
        known = np.isfinite(self.values_DSE3)
        sums, counts = np.where(known, self.values_DSE3, 0.0).sum(axis=2), known.sum(axis=2)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def parse(fields: Fields) -> Observation:
    """A row's `Observation`; raises `BadInput` with the field that is wrong."""
    method = text_of(fields, "method").strip().lower()
    n = whole(fields, "n", least=1)
    if method == BEST_OF_N:
        given = number(fields, "kl")
        kl = given if given is not None else best_of_n_kl(n) if n is not None else 0.0
    elif method == START:
        kl = number(fields, "kl") or 0.0
    else:
        kl = needed(fields, "kl")
    gold, proxy = number(fields, "gold"), number(fields, "proxy")
    if gold is None and proxy is None:
        raise BadInput("expected a score in 'gold', 'proxy' or both, found neither", field="gold")
    return Observation(
        method, kl, gold, proxy,
        run=label(fields, "run"), beta=number(fields, "beta", least=0), n=n, step=whole(fields, "step"),
        seed=label(fields, "seed", "0"), document=label(fields, "document"),
    )  # fmt: skip


def read_observations(paths: Sequence[Path]) -> list[Observation]:
    """Every row of the files."""
    return read_rows(paths, parse)


def studies(rows: Sequence[Observation]) -> list[Study]:
    """The curves that the rows hold: over n, over β (each run's last step) and over the steps of each run and seed.

    Rows of the method `start` open every curve of a training method. Raises `UserError` if nothing makes a curve of
    two points.
    """
    start = [row for row in rows if row.method == START]
    found: list[Study] = []
    for run, own in _best_of_n_runs(rows).items():
        title = f"best-of-n{f', {run}' if run else ''}"
        pools = [row for row in own if row.n is None]
        if pools and len(pools) < len(own):
            raise UserError(f"{title}: some rows have 'n' and some have not; a run is either chosen summaries or pools")
        found.append(_pool_study(title, pools) if pools else _study(title, BEST_OF_N, "n", start, own, _n_of))
    for method in dict.fromkeys(row.method for row in rows):
        if method in (BEST_OF_N, START):
            continue
        runs = _by(rows, lambda row: (row.run, row.seed, row.beta), method)
        last = [row for own in runs.values() for row in _last_step(own)]
        if len({row.beta for row in last}) > 1:
            found.append(_study(f"{method} over β", method, "β", start, last, _beta_of))
        for (run, seed, beta), own in runs.items():
            if len({row.step for row in own}) > 1:
                named = "" if run == method else run
                parts = [method, named, "" if beta is None else f"β {beta:g}", f"seed {seed}" if len(runs) > 1 else ""]
                found.append(_study(", ".join(filter(None, parts)), method, "step", start, own, _step_of))
    found = [study for study in found if len(study.labels) > 1]
    if not found:
        raise UserError(
            "no method has two points: a curve needs rows with two values of 'n' (or pools of candidates), "
            "of 'beta', or of 'step' in one run"
        )
    return found


def _by(rows: Iterable[Observation], key: Callable[[Observation], K], method: str) -> dict[K, list[Observation]]:
    found: dict[K, list[Observation]] = defaultdict(list)
    for row in rows:
        if row.method == method:
            found[key(row)].append(row)
    return dict(found)


def _best_of_n_runs(rows: Sequence[Observation]) -> dict[str, list[Observation]]:
    """Best-of-n by run; runs that all hold a single n are one curve together."""
    runs = _by(rows, lambda row: row.run, BEST_OF_N)
    if len(runs) > 1 and all(own[0].n is not None and len({row.n for row in own}) == 1 for own in runs.values()):
        return {"": [row for own in runs.values() for row in own]}
    return runs


def _last_step(own: Sequence[Observation]) -> list[Observation]:
    """The rows of a run's last step; all of them if none names a step. Raises `UserError` if only some do."""
    if len({row.step is None for row in own}) > 1:
        raise UserError(f"{own[0].method} {own[0].run}: some rows have 'step' and some have not".replace(" :", ":"))
    last = max((row.step for row in own if row.step is not None), default=None)
    return [row for row in own if row.step == last]


def _n_of(row: Observation) -> tuple[float, str]:
    return (row.n or 0, f"n {row.n}") if row.method != START else (1, "n 1")


def _beta_of(row: Observation) -> tuple[float, str]:
    if row.method == START:
        return (-np.inf, START)
    return (np.inf, "no β") if row.beta is None else (-row.beta, f"β {row.beta:g}")


def _step_of(row: Observation) -> tuple[float, str]:
    if row.method == START:
        return (-np.inf, START)
    return (np.inf, "no step") if row.step is None else (row.step, f"step {row.step}")


def _study(
    title: str,
    method: str,
    over: str,
    start: Sequence[Observation],
    own: Sequence[Observation],
    point_of: Callable[[Observation], tuple[float, str]],
) -> Study:
    """Points in the order of `point_of`; several rows of one place (document, point, seed) are averaged."""
    rows = [*([] if over == "n" else start), *own]
    points = sorted({point_of(row) for row in rows})
    seeds, documents = (tuple(dict.fromkeys(values)) for values in ((r.seed for r in rows), (r.document for r in rows)))
    place = [{value: index for index, value in enumerate(values)} for values in (documents, points, seeds)]
    sums = np.zeros((len(documents), len(points), len(seeds), 3))
    counts = np.zeros_like(sums)
    for row in rows:
        at = place[0][row.document], place[1][point_of(row)], place[2][row.seed]
        for part, value in ((KL, row.kl), (PROXY, row.proxy), (GOLD, row.gold)):
            if value is not None:
                sums[*at, part] += value
                counts[*at, part] += 1
    values = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return Study(title, method, over, tuple(text for _, text in points), seeds, documents, values)


def _pool_study(title: str, rows: Sequence[Observation]) -> Study:
    """Best of n for n = 1, 2, 4 … K from pools of K candidates, unbiased (`bestofn.expected_best`)."""
    pools: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row.proxy is not None and row.gold is not None:
            pools[row.document, row.seed].append((row.proxy, row.gold))
    most = max(map(len, pools.values()), default=0)
    ns = sorted({*(2**i for i in range(most.bit_length())), most} - {0})
    documents, seeds = (tuple(dict.fromkeys(key[part] for key in pools)) for part in (0, 1))
    values = np.full((len(documents), len(ns), len(seeds), 3), np.nan)
    for (document, seed), pool in pools.items():
        proxy_K, gold_K = np.array(pool).T
        at = documents.index(document), seeds.index(seed)
        for column, n in enumerate(ns):
            if n <= len(pool):
                best = expected_best(proxy_K, proxy_K, n), expected_best(proxy_K, gold_K, n)
                values[at[0], column, at[1]] = best_of_n_kl(n), *best
    dropped = len(rows) - sum(map(len, pools.values()))
    return Study(title, BEST_OF_N, "n", tuple(f"n {n}" for n in ns), seeds, documents, values, dropped)
