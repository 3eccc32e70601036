"""Simulated people: deterministic, noisy as people are, biased on request, and readable."""

from __future__ import annotations

from statistics import mean

import pytest

from precis.records import Candidate, Document, Maker, judgement_id
from precis.sandbox import (
    ComparerSettings,
    CriticSettings,
    RankerSettings,
    compare,
    critique,
    documents,
    ideal_summary,
    rank,
    rate,
    read_facts,
    reference_summary,
    refine,
)
from sandbox_world import moving

POLICY = Maker("policy", "test")
Pair = tuple[Document, Candidate, Candidate]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    found = [(d, reference_summary(d, seed=0), reference_summary(d, seed=1)) for d in documents(420, seed=31)]
    return [(d, a, b) for d, a, b in found if a.text != b.text]


def candidate(document: Document, text: str) -> Candidate:
    return Candidate(document.id, text, POLICY)


def test_agreement_is_as_among_people(pairs: list[Pair]) -> None:
    truth = [rate(d, b.text).overall - rate(d, a.text).overall for d, a, b in pairs]
    votes = [[compare(d, a, b, annotator=name).choice for d, a, b in pairs] for name in ("one", "two")]
    clear = [i for i, difference in enumerate(truth) if abs(difference) > 1e-9]
    with_truth = mean((vote[i] == "b") == (truth[i] > 0) for vote in votes for i in clear)
    together = mean(one == two for one, two in zip(*votes))
    assert with_truth == pytest.approx(0.75, abs=0.05)  # 3 standard errors of n ≈ 800 votes
    assert together == pytest.approx(0.73, abs=0.065)


def test_confidence_says_how_far_an_answer_can_be_trusted(pairs: list[Pair]) -> None:
    right: dict[int, list[bool]] = {distance: [] for distance in (1, 2, 3, 4)}
    for d, a, b in pairs:
        said = compare(d, a, b)
        assert said.confidence is not None
        assert said.confidence != 5
        assert (said.choice == "a") == (said.confidence <= 4)
        right[abs(said.confidence - 5)].append(
            (said.choice == "b") == (rate(d, b.text).overall > rate(d, a.text).overall)
        )
    assert all(len(values) > 20 for values in right.values())
    assert mean(right[4]) > mean(right[1]) + 0.15


def test_an_answer_depends_on_the_pair_not_on_who_is_called_a(pairs: list[Pair]) -> None:
    for d, a, b in pairs[:60]:
        one, again, swapped = compare(d, a, b), compare(d, a, b), compare(d, b, a)
        assert one == again
        assert {one.choice, swapped.choice} == {"a", "b"}
        assert one.confidence == 10 - (swapped.confidence or 0)
        assert (one.shown_first == "a") == (swapped.shown_first == "b")
    others = [compare(d, a, b, annotator="other").choice for d, a, b in pairs]
    repeats = [compare(d, a, b, repeat=1).choice for d, a, b in pairs]
    first = [compare(d, a, b).choice for d, a, b in pairs]
    assert first != others
    assert first != repeats


def test_biases_on_request(pairs: list[Pair]) -> None:
    quiet = ComparerSettings(temperature=0.01, taste=0.0)
    assert mean((compare(d, a, b, settings=quiet).choice == "b") == (rate(d, b.text).overall > rate(d, a.text).overall)
                for d, a, b in pairs) > 0.95  # fmt: skip
    eager = ComparerSettings(position_bias=50.0)
    assert all(compare(d, a, b, settings=eager, shown_first="b").choice == "b" for d, a, b in pairs[:40])
    wordy = ComparerSettings(length_bias=50.0)
    for d, a, b in pairs[:40]:
        longer = "a" if len(a.text.split()) > len(b.text.split()) else "b"
        if len(a.text.split()) != len(b.text.split()):
            assert compare(d, a, b, settings=wordy).choice == longer


def test_rankings() -> None:
    tops, biased = [], []
    for document in documents(120, seed=41):
        shown = [reference_summary(document, seed=3), ideal_summary(document), candidate(document, "They talk.")]
        said = rank(document, shown)
        assert said == rank(document, shown)
        assert sorted(said.candidate_ids) == sorted(c.id for c in shown)
        assert said.shown == tuple(c.id for c in shown)
        tops.append(said.tiers[0][0] == shown[1].id)
        biased.append(rank(document, shown, settings=RankerSettings(position_bias=99.0)).tiers[0][0] == shown[0].id)
    assert mean(tops) > 0.85
    assert all(biased)
    last = rank(document, shown, settings=RankerSettings(position_bias=99.0, position_shape="last"))
    assert last.tiers[0][0] == shown[2].id
    ends = rank(document, shown, settings=RankerSettings(position_bias=99.0, position_shape="ends"))
    assert ends.tiers[-1][0] == shown[1].id
    assert len(rank(document, shown, settings=RankerSettings(tie_within=99.0)).tiers) == 1
    assert rank(document, []).tiers == ()


GRAVEST = CriticSettings(temperature=0.0)


@pytest.mark.parametrize(
    ("summary", "label", "kind"),
    [
        ("Amara is going to move into a loft in Harbour Street on Friday at three.", "coverage", "request"),
        ("Amara asks Ben to lend her his van, and he agrees as long as she pays for the petrol.", "coverage", "event"),
        ("Ben is going to move into a loft in Harbour Street.", "accuracy", "event"),
    ],
)
def test_a_critique_names_the_most_important_fact(summary: str, label: str, kind: str) -> None:
    said = critique(moving(), candidate(moving(), summary), settings=GRAVEST)
    assert said.label == label
    named = read_facts(said.text, moving()).facts
    assert named[kind].credit > 0.45
    assert not named[kind].wrong


def test_critiques_of_form() -> None:
    document = moving()
    assert critique(document, candidate(document, "Van the petrol loft is Amara of.")).label == "coherence"
    assert critique(document, candidate(document, document.text[:200]), settings=GRAVEST).label == "coherence"
    assert critique(document, candidate(document, "")).text.lower().startswith(("there is no", "the summary is empty"))
    whole = critique(document, ideal_summary(document), settings=GRAVEST)
    assert whole.label in ("", "coverage")
    seen = {
        critique(document, candidate(document, "Amara asks Ben to lend her his van."), annotator=f"c{k}").text
        for k in range(20)
    }
    assert len(seen) > 10


def test_a_refinement_keeps_what_was_right_and_adds_what_was_asked_for() -> None:
    before, after, alone = [], [], []
    for document in documents(120, seed=51):
        start = candidate(document, reference_summary(document, seed=2).text)
        fault = critique(document, start)
        better = refine(document, start, fault)
        assert better == refine(document, start, fault)
        assert better.parent == start.id
        assert better.critique == judgement_id(fault)
        assert better.maker.role == "annotator"
        before.append(rate(document, start.text).overall)
        after.append(rate(document, better.text).overall)
        alone.append(rate(document, refine(document, start).text).overall)
    assert mean(after) > mean(before) + 0.4
    assert mean(after) > mean(alone) + 0.4


def test_a_refiner_follows_critiques_in_any_words() -> None:
    document = moving()
    start = candidate(document, "Amara is going to move into a loft.")
    assert "petrol" not in refine(document, start).text
    asked = critique(document, start)
    own_words = type(asked)(asked.judge, document.id, start.id, "Ben agrees if Amara pays for the petrol. Say so.")
    refined = refine(document, start, own_words, settings=CriticSettings(skill=1.0))
    assert "petrol" in refined.text
    assert "loft" in refined.text
