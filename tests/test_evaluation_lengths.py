"""Length in stored comparisons: a simulated effect is found again, and a small table by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from analysis_world import REFERENCE, choice, policy, text
from precis.evaluation.judgements.choices import Choice
from precis.evaluation.judgements.lengths import length_analysis
from precis.records import Candidate

FEW = 200


def simulated(quality: dict[str, float], effect: float, words: dict[str, int], n: int) -> list[Choice]:
    """P(a preferred) = σ(quality a − quality b + effect · log(words a / words b)); the reference has quality 0."""
    generator = np.random.default_rng(0)
    found = []
    names = list(quality)
    for number in range(n):
        document = f"d{number}"
        texts = {
            name: text(
                document,
                max(1, round(words[name] * float(np.exp(generator.normal(0, 0.4))))),
                REFERENCE if name == "reference" else policy(name),
            )
            for name in names
        }
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                a, b = (one, other) if generator.random() < 0.5 else (other, one)
                ratio = np.log(len(texts[a].text.split()) / len(texts[b].text.split()))
                wins = generator.random() < expit(quality[a] - quality[b] + effect * ratio)
                found.append(choice("person:1", document, texts[a], texts[b], float(wins)))
    return found


def test_a_known_length_effect_is_recovered() -> None:
    quality, words = {"sft": -0.5, "ppo": 0.4, "reference": 0.0}, {"sft": 20, "ppo": 40, "reference": 25}
    said = simulated(quality, 1.2, words, 3000)
    found = length_analysis(said, resamples=FEW)
    assert found.length_effect.value == pytest.approx(1.2, abs=0.12)
    assert found.length_effect.low < 1.2 < found.length_effect.high
    rates = {(rate.system, rate.against): rate for rate in found.pairs}
    assert set(rates) == {("ppo", "sft"), ("ppo", "reference"), ("sft", "reference")}
    ppo = rates["ppo", "reference"]
    assert ppo.length_controlled.value == pytest.approx(expit(0.4), abs=0.03)
    assert ppo.win_rate.value > expit(0.4) + 0.05  # the raw rate credits ppo with its length
    assert rates["ppo", "sft"].length_controlled.value == pytest.approx(expit(0.9), abs=0.03)
    assert found.longer.share.low > 0.6
    assert ppo.comparisons == 3000


def test_without_an_effect_none_is_found() -> None:
    found = length_analysis(
        simulated({"a": 0.3, "reference": 0.0}, 0.0, {"a": 40, "reference": 20}, 2000), resamples=FEW
    )
    assert found.length_effect.low < 0 < found.length_effect.high
    assert found.pairs[0].win_rate.value == pytest.approx(found.pairs[0].length_controlled.value, abs=0.03)


def test_a_table_by_hand() -> None:
    one, other = policy("one"), policy("other")
    said = []
    for document, words, outcome in (("x", (2, 4), 0.0), ("x", (2, 4), 1.0), ("y", (6, 3), 1.0), ("z", (5, 5), 1.0)):
        a, b = text(document, words[0], one), text(document, words[1], other)
        said.append(choice(f"person:{len(said)}", document, a, b, outcome))
    reference = text("x", 8, REFERENCE)
    said.append(choice("person:r", "x", reference, text("x", 2, one), 1.0))
    said.append(choice("person:s", "y", text("y", 6, one), text("y", 1, one, index=1), 0.0))  # one system twice
    found = length_analysis(said, resamples=FEW)
    # Unequal: x 4 over 2 (won, lost), y 6 over 3 (won), reference 8 over 2 (won), y 6 over 1 (lost).
    assert (found.longer.share.value, found.longer.comparisons, found.longer.equal) == (pytest.approx(3 / 5), 5, 1)
    rates = {(rate.system, rate.against): rate for rate in found.pairs}
    assert rates["one", "other"].win_rate.value == pytest.approx(3 / 4)  # each comparison once: x counts twice
    assert (rates["one", "other"].wins, rates["one", "other"].losses) == (3, 1)
    assert rates["one", "reference"].win_rate.value == 0.0
    assert found.same_system == 1
    systems = {row.system: row for row in found.systems}
    # The same text twice is even, whichever side was named.
    same = text("x", 2, one)
    twice = choice("person:t", "x", same, replace(same, maker=other), 1.0)
    even = {row.system: row.win_rate.value for row in length_analysis([twice], resamples=FEW).systems}
    assert even["one"] == even["other"] == 0.5
    assert list(systems) == ["one", "other", "reference"]
    assert systems["one"].candidates == 4  # x, y, its second sample, z: a candidate counts once
    assert systems["one"].words.value == pytest.approx((2 + 6 + 1 + 5) / 4)
    assert systems["one"].ratio.value == pytest.approx(2 / 8)
    assert systems["one"].comparisons == 5
    assert systems["one"].win_rate.value == pytest.approx(3 / 5)
    assert (systems["reference"].ratio.value, systems["other"].ratio.value) == (1.0, pytest.approx(4 / 8))


def test_the_same_text_twice_is_a_tie_and_an_empty_one_has_no_ratio() -> None:
    a = text("x", 3, policy("a"))
    b, empty = Candidate("x", a.text, policy("b")), text("x", 0, policy("b"), index=1)
    found = length_analysis([choice("p", "x", a, b, 1.0), choice("p", "x", a, empty, 1.0)], resamples=FEW)
    assert (found.identical, found.empty) == (1, 1)
    assert found.pairs[0].win_rate.value == 0.75
    assert found.pairs[0].length_controlled.why == "every comparison is a tie"
