"""Each range of pyproject.toml is tested at both ends, by constraints-low.txt and constraints.txt."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RANGES = [Requirement(line) for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]]
NOT_AT_ITS_LOWEST = {"torch"}  # docs/structure.md says why


def pins(name: str) -> dict[str, Version]:
    lines = (line for line in (ROOT / name).read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return {canonicalize_name(package): Version(version) for package, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("range_", RANGES, ids=lambda r: r.name)
def test_a_range_is_tested_at_both_ends(range_: Requirement) -> None:
    name = canonicalize_name(range_.name)
    low, late = pins("constraints-low.txt")[name], pins("constraints.txt")[name]
    assert range_.specifier.contains(low) and range_.specifier.contains(late)
    if name not in NOT_AT_ITS_LOWEST:
        assert low == Version(next(one.version for one in range_.specifier if one.operator == ">="))
