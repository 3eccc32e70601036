"""What more data and larger models buy: accuracy against log₂ size (Stiennon et al. 2020, §4.3).

Rows of the file are training runs: {"parameters": 1.3e9, "pairs": 64000, "seed": 1, "accuracy": 0.66, "n": 2000}.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ...data.rows import Fields
from ...errors import BadInput, UserError
from ..jsonfields import label, needed, read_rows, whole
from ..statistics import Estimate, not_estimable

Floats = NDArray[np.float64]
# Points of accuracy that one doubling buys, in the paper (160M–13B parameters, 8k–64k pairs).
PAPER = {"pairs": 0.011, "parameters": 0.018}


@dataclass(frozen=True)
class TrainingRun:
    """One reward model: its size, the pairs it was trained on, and its accuracy (0 to 1) on n held-out pairs."""

    accuracy: float
    parameters: float | None = None
    pairs: float | None = None
    seed: str = ""
    n: int | None = None


@dataclass(frozen=True)
class Slope:
    """Accuracy that one doubling of `axis` buys, the other axis held fixed; `sizes` are the distinct ones.

    `paper` is the paper's. `note` qualifies the slope.
    """

    axis: str
    per_doubling: Estimate
    sizes: tuple[float, ...]
    paper: float
    note: str = ""


@dataclass(frozen=True)
class ScalingFit:
    """accuracy = at_centre + Σ slope · (log₂ size − centre), over N runs; intervals are Student's t.

    `r2` is None if every accuracy is the same; `residual_sd` is over runs, None without spare degrees of freedom.
    """

    slopes: tuple[Slope, ...]
    at_centre: Estimate
    centre: dict[str, float]
    runs: int
    r2: float | None
    residual_sd: float | None

    def predict(self, parameters: float | None, pairs: float | None) -> float | None:
        """Fitted accuracy at these sizes; None if the fit has no value."""
        if self.at_centre.value is None:
            return None
        sizes, total = {"pairs": pairs, "parameters": parameters}, self.at_centre.value
        for slope in self.slopes:
            size = sizes[slope.axis]
            if slope.per_doubling.value is not None and size is not None:
                total += slope.per_doubling.value * (float(np.log2(size)) - self.centre[slope.axis])
        return total


def parse(fields: Fields) -> TrainingRun:
    """A row's `TrainingRun`; raises `BadInput` with the field that is wrong."""
    accuracy = needed(fields, "accuracy")
    if not 0 <= accuracy <= 1:
        hint = "; write 62.8% as 0.628" if 1 < accuracy <= 100 else ""
        raise BadInput(f"expected a share from 0 to 1, found {accuracy:g}{hint}", field="accuracy")
    sizes = {}
    for name in ("parameters", "pairs"):
        sizes[name] = None if fields.get(name) is None else needed(fields, name)
        if sizes[name] is not None and not sizes[name] > 0:  # type: ignore[operator]
            raise BadInput(f"expected a number above 0, found {sizes[name]:g}", field=name)
    if not any(sizes.values()):
        raise BadInput("expected the model's size, the number of training pairs, or both", field="parameters")
    return TrainingRun(
        accuracy, sizes["parameters"], sizes["pairs"], label(fields, "seed"), whole(fields, "n", least=1)
    )


def read_training_runs(paths: Sequence[Path]) -> list[TrainingRun]:
    """Every row of the files."""
    return read_rows(paths, parse)


def sampling_noise(runs: Sequence[TrainingRun]) -> float | None:
    """Standard error of one run's accuracy by the draw of its n held-out pairs; None if no run says its n."""
    variances = [run.accuracy * (1 - run.accuracy) / run.n for run in runs if run.n]
    return float(np.sqrt(np.mean(variances))) if variances else None


def fit_scaling(runs: Sequence[TrainingRun]) -> ScalingFit:
    """Least squares over runs, seeds as runs of their own; both axes together where both vary.

    Raises `UserError` if no axis has two sizes, or if a run lacks a size that others vary in.
    """
    sizes = {axis: [getattr(run, axis) for run in runs] for axis in PAPER}
    distinct = {axis: tuple(sorted({size for size in own if size is not None})) for axis, own in sizes.items()}
    used = [axis for axis, own in distinct.items() if len(own) > 1]
    if not used:
        raise UserError(_too_few(distinct))
    for axis in used:
        if missing := sum(size is None for size in sizes[axis]):
            raise UserError(f"{missing} of {len(runs)} runs do not say their {axis!r}; it varies, so each must say it")
    logs = {axis: np.log2(np.array(sizes[axis], dtype=np.float64)) for axis in used}
    centre = {axis: float(own.mean()) for axis, own in logs.items()}
    design = np.column_stack([np.ones(len(runs)), *(logs[axis] - centre[axis] for axis in used)])
    accuracy = np.array([run.accuracy for run in runs])
    together = np.linalg.matrix_rank(design) < design.shape[1]
    estimates, r2, sd = _least_squares(design, accuracy, together)
    slopes = []
    for axis in PAPER:
        at = estimates[1 + used.index(axis)] if axis in used else not_estimable(_one_size(axis, distinct[axis]))
        note = "two sizes: a line fits them whatever the truth is" if len(distinct[axis]) == 2 else ""
        slopes.append(Slope(axis, at, distinct[axis], PAPER[axis], note))
    return ScalingFit(tuple(slopes), estimates[0], centre, len(runs), r2, sd)


def _too_few(distinct: dict[str, tuple[float, ...]]) -> str:
    said = "; ".join(_one_size(axis, own) for axis, own in distinct.items())
    return f"a slope needs runs of at least two sizes: {said}"


def _one_size(axis: str, own: tuple[float, ...]) -> str:
    return f"every run has {own[0]:,.0f} {axis}" if own else f"no run says its {axis}"


def _least_squares(
    design_NP: Floats, accuracy_N: Floats, together: bool
) -> tuple[list[Estimate], float | None, float | None]:
    """Coefficients with Student's t intervals, R², and the residuals' standard deviation."""
    count, width = design_NP.shape
    if together:
        why = "data and models grow in step here: what each of them buys cannot be told apart"
        return (
            [Estimate(float(accuracy_N.mean()), None, None, count, why), *[not_estimable(why, count)] * 2],
            None,
            None,
        )
    gram = np.linalg.inv(design_NP.T @ design_NP)
    coefficients = gram @ design_NP.T @ accuracy_N
    residuals, spread = accuracy_N - design_NP @ coefficients, accuracy_N - accuracy_N.mean()
    total = float(spread @ spread)
    r2 = 1 - float(residuals @ residuals) / total if total > 1e-15 else None
    spare = count - width
    if spare < 1:
        why = f"{count} runs determine {width} coefficients exactly; another run is needed"
        return [Estimate(float(value), None, None, count, why) for value in coefficients], r2, None
    sd = float(np.sqrt(residuals @ residuals / spare))
    reach = float(stdtrit(spare, 0.975)) * sd * np.sqrt(np.diag(gram))
    found = [Estimate(float(v), float(v - r), float(v + r), count) for v, r in zip(coefficients, reach)]
    return found, r2, sd
