"""Win rates at equal length (Stiennon et al. 2020, appendix F).

A logistic regression of "a is preferred" on which system a is and on log(length of a / length of b), read at
ratio 0. Ties count half. The interval is Wald's on the logit scale, with a variance that lets verdicts on one
document depend on each other (cluster-robust sandwich, G/(G−1), Student's t with G−p degrees of freedom).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.special import expit, stdtrit

from .statistics import Estimate, not_estimable

Floats = NDArray[np.float64]
Each = Literal["document", "event"]  # what weighs one


@dataclass(frozen=True)
class LengthControl:
    """`win_rate` at equal length; `length_effect` is the logit's slope: the change when a is e times as long as b.

    `note` warns where ratio 0 lies outside the lengths seen, so that the reading is an extrapolation.
    """

    win_rate: Estimate
    length_effect: Estimate
    note: str = ""


def length_controlled(
    outcomes_N: ArrayLike,
    log_ratios_N: ArrayLike,
    *,
    systems_N: Sequence[str] | None = None,
    documents_N: Sequence[str] | None = None,
    each: Each = "document",
) -> dict[str, LengthControl]:
    """`LengthControl` by system (one system "" if `systems_N` is None); several systems share one length effect.

    `outcomes_N`: 1 if a was preferred, 0 if b, ½ for a tie. `log_ratios_N`: log(words of a / words of b); a row
    with an empty side (ratio not finite) must be left out by the caller, who counts it. Each document weighs one.
    What cannot be estimated is said, never guessed: no comparison, too few documents, only ties, lengths always
    in one ratio, or verdicts that lengths and systems predict perfectly (separation: the fit would run to infinity).
    """
    outcomes, ratios = (np.asarray(a, dtype=np.float64) for a in (outcomes_N, log_ratios_N))
    if not np.isfinite(ratios).all():
        raise ValueError("a length ratio is not finite; leave comparisons with an empty summary out, and count them")
    systems = np.array(["" for _ in outcomes] if systems_N is None else list(systems_N), dtype=object)
    documents = np.array(
        [str(n) for n in range(len(outcomes))] if documents_N is None else list(documents_N), dtype=object
    )
    names = list(dict.fromkeys(systems)) or [""]
    found, fitted = {}, []
    for name in names:
        of_system = systems == name
        if why := _refusal(outcomes[of_system], ratios[of_system], single=len(names) == 1):
            n = len(set(documents[of_system]))
            found[name] = LengthControl(not_estimable(why, n), not_estimable(why, n))
        else:
            fitted.append(name)
    if fitted:
        rows = np.isin(systems, np.array(fitted, dtype=object))
        found |= _fit(outcomes[rows], ratios[rows], systems[rows], documents[rows], fitted, each)
    return {name: found[name] for name in names}


def _refusal(outcomes: Floats, ratios: Floats, *, single: bool) -> str:
    if len(outcomes) == 0:
        return "nothing was judged"
    if np.all(outcomes == 0.5):
        return "every comparison is a tie"
    if np.all(outcomes == 1) or np.all(outcomes == 0):
        return f"it {'won' if outcomes[0] == 1 else 'lost'} every comparison"
    if single and np.ptp(ratios) < 1e-9:
        return "both always have the same length" if abs(ratios[0]) < 1e-9 else "lengths are always in the same ratio"
    return ""


def _fit(
    outcomes: Floats,
    ratios: Floats,
    systems: NDArray[np.object_],
    documents: NDArray[np.object_],
    names: list[str],
    each: Each,
) -> dict[str, LengthControl]:
    design = np.column_stack([*((systems == name).astype(np.float64) for name in names), ratios])
    clusters_of, cluster = np.unique(documents.astype(str), return_inverse=True)
    clusters, width = len(clusters_of), design.shape[1]
    why = ""
    if clusters <= width:
        why = f"{clusters} documents are too few for {width} coefficients"
    elif np.linalg.matrix_rank(design) < width:
        why = "lengths are always in the same ratio"
    elif is_separated(design, outcomes):
        why = "lengths predict every verdict (separation)"
    if why:
        counts = {name: len(set(documents[systems == name])) for name in names}
        return {
            name: LengthControl(not_estimable(why, counts[name]), not_estimable(why, counts[name])) for name in names
        }
    coefficients, low, high = fit_with_intervals(design, outcomes, cluster, each)
    effect = Estimate(float(coefficients[-1]), float(low[-1]), float(high[-1]), clusters)
    found = {}
    for index, name in enumerate(names):
        own = systems == name
        rate = Estimate(
            float(expit(coefficients[index])),
            float(expit(low[index])),
            float(expit(high[index])),
            len(set(documents[own])),
        )
        found[name] = LengthControl(rate, effect, _extrapolation(ratios[own]))
    return found


def _extrapolation(ratios: Floats) -> str:
    least, most = float(np.exp(ratios.min())), float(np.exp(ratios.max()))
    if least <= 1 <= most:
        return ""
    return f"extrapolated: no pair had equal lengths (ratios from {least:.2f} to {most:.2f})"


def fit_with_intervals(
    design_NP: Floats, outcomes_N: Floats, cluster_N: NDArray[np.intp], each: Each = "document"
) -> tuple[Floats, Floats, Floats]:
    """Coefficients (P,) and the ends of their 95% intervals; `cluster_N` numbers the documents 0 … G−1.

    The caller has made sure that the fit exists (`is_separated`, rank) and that G > P.
    """
    sizes = np.bincount(cluster_N)
    clusters, width = len(sizes), design_NP.shape[1]
    weights = 1.0 / sizes[cluster_N] if each == "document" else np.ones(len(outcomes_N))
    coefficients = fit_logistic(design_NP, outcomes_N, weights)
    fitted = expit(design_NP @ coefficients)
    bread = np.linalg.inv((design_NP * (weights * fitted * (1 - fitted))[:, None]).T @ design_NP)
    by_cluster = np.zeros((clusters, width))
    np.add.at(by_cluster, cluster_N, design_NP * (weights * (outcomes_N - fitted))[:, None])
    covariance = bread @ (by_cluster.T @ by_cluster) @ bread * clusters / (clusters - 1)
    variance, by_model = np.diag(covariance), np.diag(bread)
    # Residuals that vanish (one lone pair at some length) would claim certainty: then believe the model's variance.
    variance = np.where(variance > 1e-6 * by_model, variance, by_model)
    reach = float(stdtrit(clusters - width, 0.975)) * np.sqrt(variance)
    return coefficients, coefficients - reach, coefficients + reach


def fit_logistic(design_NP: Floats, outcomes_N: Floats, weights_N: Floats) -> Floats:
    """Maximum-likelihood coefficients (P,) by Newton's method with step halving; outcomes may be fractions."""

    def log_likelihood(coefficients: Floats) -> float:
        logits = design_NP @ coefficients
        return float(np.sum(weights_N * (outcomes_N * logits - np.logaddexp(0, logits))))

    coefficients = np.zeros(design_NP.shape[1])
    current = log_likelihood(coefficients)
    for _ in range(100):
        fitted = expit(design_NP @ coefficients)
        gradient = design_NP.T @ (weights_N * (outcomes_N - fitted))
        curvature = (design_NP * (weights_N * fitted * (1 - fitted))[:, None]).T @ design_NP
        step = np.linalg.solve(curvature + 1e-12 * np.eye(len(coefficients)), gradient)
        while (better := log_likelihood(coefficients + step)) < current - 1e-12:
            step = step / 2
        coefficients, moved, current = coefficients + step, float(np.abs(step).max()), better
        if moved < 1e-10:
            break
    return coefficients


def is_separated(design_NP: Floats, outcomes_N: Floats) -> bool:
    """Whether some direction predicts every verdict at least weakly (Albert and Anderson 1984): no finite fit exists.

    A tie is a win and a loss at once, so it forbids every direction that sees it.
    """
    wins, losses = design_NP[outcomes_N > 0], -design_NP[outcomes_N < 1]
    signed = np.concatenate([wins, losses])
    width = design_NP.shape[1]
    # Maximise the total margin of a direction in the unit box whose margins are all ≥ 0.
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=[(-1, 1)] * width)
    return bool(found.status == 0 and -found.fun > 1e-7)
