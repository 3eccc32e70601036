"""One set of arguments for every figure that a report can draw."""

from __future__ import annotations

from typing import Any

FIGURES: dict[str, dict[str, Any]] = {
    "forest": {
        "rows": [
            {
                "label": "sft",
                "value": 0.6,
                "low": 0.5,
                "high": 0.7,
                "n": 9,
                "twin": {"value": 0.5, "low": 0.4, "high": 0.6},
            },
            {"label": "none", "value": None, "low": None, "high": None, "n": 0, "twin": None},
        ],
        "xlabel": "preferred (%)",
        "twin": "at equal length",
    },
    "curves": {
        "lines": [
            {"name": "gold", "x": [1, 2, 4], "y": [0.1, None, 0.3], "low": [0.0, None, 0.2], "high": [0.2, None, 0.4]},
            {"name": "ceiling", "x": [1, 2, 4], "y": [0.5, 0.5, 0.5], "dots": False},
        ],
        "xlabel": "n",
        "ylabel": "gold",
        "xlog": True,
        "marks": [{"x": 2, "label": "turning point"}],
    },
    "panels": {
        "panels": [
            {
                "title": "loss",
                "lines": [{"name": "loss", "x": list(range(300)), "y": [float(n % 7) for n in range(300)]}],
            }
        ],
        "xlabel": "step",
    },
    "histogram": {
        "series": [
            {"name": "sft", "mean": 1.4, "shares": [20.0, 80.0]},
            {"name": "references", "mean": 0.5, "shares": [0.0, 0.0]},
        ],
        "edges": [0.0, 1.0, 2.0],
        "xlabel": "words",
        "ylabel": "share",
    },
    "calibration": {
        "bins": [
            {"predicted": 0.6, "actual": 0.55, "low": 0.5, "high": 0.6, "pairs": 5},
            {"predicted": 0.9, "actual": None, "low": None, "high": None, "pairs": 1},
        ],
        "xlabel": "predicted",
        "ylabel": "actual",
    },
}
