"""Estimates one below the other: the forest plot that most analyses open with."""

from __future__ import annotations

from collections.abc import Mapping

from ..evaluation.statistics import Estimate
from .contents import Plot
from .sentences import percent


def interval_plots(
    estimates: Mapping[str, Estimate],
    xlabel: str,
    caption: str,
    *,
    reference: float = 0.5,
    twins: Mapping[str, Estimate] | None = None,
    twin: str = "",
) -> tuple[Plot, ...]:
    """A plot of the shares that have a value, labelled by their names; none if there are none.

    `reference` is where the dashed line stands; `twins` are second, hollow marks by name, `twin` what they are.
    """
    shown = {name: estimate for name, estimate in estimates.items() if estimate.value is not None}
    if not shown:
        return ()
    rows = [
        {"label": name, **_ends(own), "n": own.n, "twin": None if twins is None else _ends(twins[name])}
        for name, own in shown.items()
    ]
    said = "; ".join(f"{name} {percent(own)}" for name, own in shown.items())
    data = {"rows": rows, "xlabel": xlabel, "reference": reference, "twin": twin}
    return (Plot("forest", data, caption, f"{caption} {said}"),)


def _ends(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
