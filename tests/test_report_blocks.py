"""Blocks, figures and differences of a report, and the way from an evaluation to a page."""

from __future__ import annotations

import getpass
import json
import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precis.errors import UserError
from precis.evaluation.judgements.agreement import agreement_matrix
from precis.evaluation.optimization.bestofn import best_of_n_curve
from precis.evaluation.rewardmodel import accuracies, accuracy_gains, calibration
from precis.evaluation.statistics import Estimate, over_seeds
from precis.evaluation.systems import Evaluation, evaluate_systems
from precis.records import Candidate, Comparison, Document, JudgeInfo, Judgement, Maker
from precis.report import plots
from precis.report.analysis_blocks import (
    accuracy_table,
    agreement_table,
    best_of_n_blocks,
    calibration_blocks,
    read_metrics,
    training_plot,
)
from precis.report.contents import (
    Block,
    Report,
    Section,
    Table,
    from_json,
    to_json,
)
from precis.report.diff import difference, unknown_words
from precis.report.example_blocks import example_block, length_histogram
from precis.report.run import describe_run
from precis.report.systems_blocks import (
    differences_table,
    quality_table,
    seeds_table,
    text_table,
    win_rate_blocks,
    win_rate_sentence,
)
from precis.report.write import read_report, write_report
from report_figures import FIGURES
from test_report import Page

# Differences


def test_differences_by_hand() -> None:
    assert difference("the cat sat", "the dog sat") == [
        ("same", "the "),
        ("gone", "cat"),
        ("new", "dog"),
        ("same", " sat"),
    ]
    assert difference("A b", "a b") == [("same", "a b")]
    assert unknown_words("A big red cat.", ["the cat", "a"]) == [("same", "A "), ("new", "big red"), ("same", " cat.")]
    assert difference("x " * 1500, "y") == [("same", "y")]


@given(st.text("ab \n.é", max_size=40), st.text("ab \n.é", max_size=40))
@settings(max_examples=60)
def test_differences_lose_no_text(old: str, new: str) -> None:
    segments = difference(old, new)
    assert "".join(text for kind, text in segments if kind != "gone") == new
    before = "".join(text for kind, text in segments if kind != "new")
    assert before.split() == old.split() or "".join(before.split()) == "".join(old.split())
    assert "".join(text for _, text in unknown_words(new, [old])) == new


# Figures


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_valid_and_the_same_each_time(name: str) -> None:
    svg = plots.FIGURES[name](**FIGURES[name])
    assert svg == plots.FIGURES[name](**FIGURES[name])
    root = ElementTree.fromstring(svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    used = [element.get("href") for element in root.iter() if element.get("href")]
    assert {str(value)[1:] for value in used} <= set(ids)
    assert "<style" not in svg
    assert "DejaVu" not in svg
    assert "var(--ink" in svg


def test_labels_of_figures_are_text_in_any_script() -> None:
    labels = ["$x^2$ costs $5", "<b>&amp;</b>", "مرحبا 🎉 日本", "bad\x0b\x00\ud800char", "long " * 30]
    rows = [{"label": label, "value": 0.5, "low": None, "high": None, "n": 1, "twin": None} for label in labels]
    found = [element.text or "" for element in ElementTree.fromstring(plots.forest(rows, xlabel="x")).iter()]
    for said in ["$x^2$ costs $5  (n=1)", "<b>&amp;</b>  (n=1)", "مرحبا 🎉 日本  (n=1)", "badchar  (n=1)"]:
        assert " ".join(said.split()) in [" ".join(text.split()) for text in found]
    assert max(len(text) for text in found) < 60


# From an evaluation to a page


def evaluation() -> tuple[Evaluation, list[Document], dict[str, list[Candidate]]]:
    documents = [Document(f"Ann: number {n} is {'very ' * n}good.\nBo: Yes, it is.", key=f"k{n}") for n in range(12)]
    references = {
        d.id: [Candidate(d.id, f"Number {n} is good.", Maker("reference", "r"))] for n, d in enumerate(documents)
    }
    systems = {
        "good": [
            Candidate(d.id, f"They say number {n} is good.", Maker("policy", "g")) for n, d in enumerate(documents)
        ],
        "bad": [
            Candidate(d.id, "Yes." if n % 2 else "It rains a lot.", Maker("policy", "b"))
            for n, d in enumerate(documents)
        ],
    }
    judge = JudgeInfo("person:1")
    judgements: list[Judgement] = [
        Comparison(judge, c.source_id, c.id, references[c.source_id][0].id, "a" if n % 3 else "b", shown_first="a")
        for own in systems.values()
        for n, c in enumerate(own)
    ]
    found = evaluate_systems(documents, references, systems, judgements=judgements, baselines=["bad"], resamples=200)
    return found, documents, references


def test_from_an_evaluation_to_a_page(tmp_path: Path) -> None:
    found, documents, references = evaluation()
    generator = np.random.default_rng(0)
    pools = [generator.normal(size=8) for _ in documents]
    curve = best_of_n_curve([-pool for pool in pools], pools, resamples=200)
    margins = {"reward": generator.normal(0.5, 1, 40), "length": generator.normal(0, 1, 40)}
    ids = [str(n // 2) for n in range(40)]
    votes = {"x": {("d", "a", "b"): 1, ("e", "a", "b"): -1}, "y": {("d", "a", "b"): 1}}
    rows = [{"step": n, "loss": 2.0 / (n + 1), "eval": float("nan") if n == 3 else 1.0} for n in range(9)]
    plot = training_plot(rows, {"Loss": ["loss", "eval"], "None": ["missing"]})
    assert plot is not None
    blocks: list[Block] = [
        quality_table(found, asides=["good"]),
        text_table(found),
        differences_table(found.differences),
        *win_rate_blocks(found.win_rates),
        length_histogram(found, references),
        example_block(found, documents, references, count=3, extremes=("good", "bad")),
        seeds_table("Seeds.", {"good": over_seeds({"0": 1.0, "1": 2.0}), "bad": over_seeds({"0": 1.0})}),
        accuracy_table("Pairs.", accuracies(margins, ids, resamples=100), accuracy_gains(margins, ids, resamples=100)),
        *calibration_blocks(calibration(margins["reward"], ids, bins=4, resamples=100)),
        *best_of_n_blocks(curve, proxy="a bad judge", gold="gold"),
        agreement_table(agreement_matrix(votes), {"x": 2}),
        plot,
    ]
    report = Report(
        "Everything", (Section("All", tuple(blocks)),), describe_run(["precis run"], seeds=[0]), warnings=found.warnings
    )
    html, plain = write_report(report, tmp_path)
    page = Page(html.read_text("utf-8"))
    assert page.open == []
    assert len(page.values("id")) == len(set(page.values("id")))
    assert read_report(plain) == from_json(to_json(report))
    shown = "".join(page.text)
    assert "Over-optimization: beyond n = 1" in shown
    assert "Failures, left out: x: 2." in shown
    assert "3 of 12 documents, drawn at random with seed 0" in shown
    rate = found.win_rates[0]
    assert rate.win_rate.value is not None
    assert f"{100 * rate.win_rate.value:.1f}" in shown


def test_examples_show_every_system_and_say_how_they_were_drawn() -> None:
    found, documents, references = evaluation()
    block = example_block(found, documents, references, count=2, extremes=("good", "bad"), seed=3)
    assert [output.system for output in block.examples[0].outputs] == ["good", "bad"]
    assert (
        block.examples
        == example_block(found, documents, references, count=2, extremes=("good", "bad"), seed=3).examples
    )
    assert [example.why for example in block.examples].count("good far ahead") == 2
    assert all(output.candidate.startswith("c_") for example in block.examples for output in example.outputs)


def test_metrics_of_a_killed_run_are_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n\n{"step": 2, "loss": NaN}\n[1]\n{"step": 3, "lo')
    rows, broken = read_metrics(path)
    assert [row["step"] for row in rows] == [1, 2]
    assert broken == 2
    plot = training_plot(rows, {"Loss": ["loss"]})
    assert plot is not None
    assert plot.data["panels"][0]["lines"][0]["y"] == [2.0, None]
    assert training_plot(rows, {"Other": ["other"]}) is None
    with pytest.raises(UserError, match="cannot read"):
        read_metrics(tmp_path / "none.jsonl")


def test_a_run_is_described_without_names() -> None:
    run = describe_run(["precis run"], seeds=[1], settings={"a": 1})
    assert run.versions["python"] == platform.python_version()
    assert int(run.machine["cores"]) >= 1
    said = json.dumps([run.machine, run.versions])
    assert platform.node() not in said
    assert getpass.getuser() not in run.machine.values()
    assert run.started.endswith("+00:00")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.51, 0.6, "By rouge, new beats old: it wins on 55% of 9 documents [51%, 60%], a tie counting half"),
     (0.4, 0.49, "new loses to old"), (0.5, 0.6, "new cannot be told from"), (0.4, 0.6, "new cannot be told from")],
)  # fmt: skip
def test_a_finding_says_what_the_interval_says(low: float, high: float, said: str) -> None:
    estimate = Estimate(0.55, low, high, 9)
    equal = Estimate(0.5, 0.3, 0.7, 9)
    rate: Any = SimpleNamespace(judge="rouge", system="new", against="old", win_rate=estimate, length_controlled=equal)
    assert said in win_rate_sentence(rate) and win_rate_sentence(rate).endswith("; at equal length on 50% [30%, 70%].")
    assert win_rate_sentence(rate, equal_length=False).endswith("half.")


def test_a_finding_without_a_number_or_with_one_that_says_nothing() -> None:
    half, nothing = Estimate(0.5, 0.4, 0.6, 9), Estimate(1.0, 0.05, 1.0, 9)
    rate: Any = SimpleNamespace(judge="rouge", system="new", against="old", win_rate=half, length_controlled=nothing)
    assert win_rate_sentence(rate).endswith("a tie counting half.")
    rate.win_rate = Estimate(None, None, None, 0, "nothing was judged")
    assert win_rate_sentence(rate) == "By rouge, no win rate of new against old can be estimated: nothing was judged."


def test_the_kl_of_a_search_is_not_known() -> None:
    curve = best_of_n_curve([[0.1, 0.9, 0.5], [0.3, 0.2, 0.4]], [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    for drawn in (True, False):
        (table,) = (b for b in best_of_n_blocks(curve, proxy="p", gold="g", drawn=drawn) if isinstance(b, Table))
        assert ("KL (nats)" in [column.name for column in table.columns]) == drawn
        assert all(len(row.cells) == len(table.columns) for row in table.rows)
