"""The oracle: it reads back what was said, rates by truth, and is not to be fooled."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from random import Random
from statistics import mean

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from precis.errors import BadInput, UserError
from precis.records import Document
from precis.sandbox import (
    SECOND_JUDGE,
    cheats,
    documents,
    ideal_summary,
    rate,
    rating_records,
    read_facts,
    reference_summary,
    summary_of_facts,
)
from precis.sandbox.summaries import LEVELS, REFERENCE_WORDS, summary_at
from sandbox_world import moving

WHOLE = (
    "Amara is going to move into a loft in Harbour Street because her sister is coming to live with her. The move was "
    "planned for Thursday at three, but now it is on Friday at three because there is a train strike. She asks Ben to "
    "lend her his van, and he agrees as long as she pays for the petrol."
)


@pytest.fixture(scope="module")
def sample() -> list[Document]:
    return list(documents(300, seed=23, split="test"))


def credits(summary: str) -> dict[str, float]:
    """Rounded credit by fact; -1 for one that is told wrongly."""
    facts = read_facts(summary, moving()).facts
    return {kind: -1.0 if fact.wrong else round(fact.credit, 1) for kind, fact in facts.items()}


def test_a_whole_summary_has_every_fact() -> None:
    assert set(credits(WHOLE).values()) == {1.0}
    ratings = rate(moving(), WHOLE)
    assert min(ratings.coverage, ratings.accuracy, ratings.coherence, ratings.overall) > 6.9
    assert ratings.rounded() == {"coverage": 7, "accuracy": 7, "coherence": 7, "overall": 7}


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        # other words, other order, parts of sentences
        ("Because her sister is coming to live with her, Amara will move into a loft.", {"event": 1, "why": 1}),
        ("On Friday at 3 pm Amara is moving into a loft.", {"event": 1, "when": 1}),
        ("Amara is moving into a loft on Friday.", {"event": 1, "when": 0.5}),
        ("Ben is asked to lend Amara his van, and he says yes.", {"request": 1, "outcome": 0.6}),
        ("Ben agrees to lend her his van if she covers the cost of the petrol.",
         {"request": 0.9, "outcome": 1, "detail": 1}),
        ("The move is now on Friday at three instead of Thursday.", {"when": 1, "change": 1}),
        ("Moving into a loft because her sister is coming to live with her.", {"event": 1, "why": 1}),
        ("Amara and Ben talk about moving house.", {"event": 0.2}),
        # the wrong way round
        ("Ben is going to move into a loft.", {"event": -1}),
        ("Amara is not going to move into a loft.", {"event": -1}),
        ("Amara decides against moving into a loft.", {"event": -1}),
        ("It is not true that Amara is moving into a loft.", {"event": -1}),
        ("Amara is going to move into a bigger flat.", {"event": -1}),
        ("Ben asks Amara to lend him her van.", {"request": -1}),
        ("Amara asks Ben not to lend her his van.", {"request": -1}),
        ("Amara asks Ben to lend her his van, but he refuses.", {"request": 1, "outcome": -1}),
        ("The move is on Thursday at three.", {"when": -1}),
        ("The move was planned for Friday, but now it is on Thursday.", {"when": -1, "change": -1}),
        ("The flat is near the tannery.", {"where": -1}),
        ("Amara's sister is not coming to live with her, so Amara will move into a loft.", {"event": 1, "why": -1}),
        # words without grammar
        ("Amara, loft, Harbour Street, Friday, sister, van, petrol.", {}),
        ("Loft a into Amara move.", {}),
    ],
)  # fmt: skip
def test_statements_by_hand(summary: str, expected: dict[str, float]) -> None:
    found = {kind: credit for kind, credit in credits(summary).items() if abs(credit) > 0.15}
    assert found == pytest.approx(expected, abs=0.15), summary


def test_what_is_not_in_the_document_is_noticed() -> None:
    reading = read_facts("Pavel buys a crocodile in March for his dentist.", moving())
    assert {"crocodile", "dentist"} <= set(reading.unsupported)
    assert reading.invented == ("pavel",)
    assert reading.facts["when"].wrong
    assert reading.facts["when"].said == "march"
    assert rate(moving(), WHOLE + " Her uncle eats a crocodile.").accuracy < rate(moving(), WHOLE).accuracy


def test_reads_back_what_its_own_summaries_say(sample: list[Document]) -> None:
    stated = read = untold = false = mistakes = believed = 0
    for document in sample:
        for level, seed in (("ideal", 0), ("reference", 0), ("reference", 1)):
            written = summary_at(document, level, seed=seed)  # type: ignore[arg-type]
            for kind, fact in read_facts(written.text, document).facts.items():
                if kind in written.right:
                    stated += 1
                    read += fact.credit >= 0.5 and not fact.wrong
                elif kind in written.wrong:
                    mistakes += 1
                    believed += fact.credit >= 0.5
                else:
                    untold += 1
                    false += fact.credit >= 0.5
    assert stated > 4000
    assert read / stated >= 0.99
    assert false / untold <= 0.01
    assert mistakes > 50
    assert believed / mistakes <= 0.02


def test_better_levels_are_rated_higher(sample: list[Document]) -> None:
    overall = {
        level: mean(rate(document, summary_at(document, level, seed=4).text).overall for document in sample[:150])
        for level in LEVELS
    }
    assert overall["ideal"] > 6.4
    assert 3.8 < overall["reference"] < 5.2
    assert 1.2 < overall["vague"] < 2.0
    assert overall["wrong"] < 1.2
    second = [
        mean(rate(d, summary_at(d, level, seed=4).text, SECOND_JUDGE).overall for d in sample[:50]) for level in LEVELS
    ]
    assert second == sorted(second, reverse=True)


def test_cheats_do_not_pay(sample: list[Document]) -> None:
    found: dict[str, list[float]] = defaultdict(list)
    for document, other in pairwise(sample[:121]):
        for name, text in cheats(document, other).items():
            found[name].append(rate(document, text).overall)
    reference = mean(rate(document, reference_summary(document).text).overall for document in sample[:120])
    means = {name: mean(values) for name, values in found.items()}
    assert len(means) >= 20
    lowest = [
        "empty", "shuffled", "shuffled in each sentence", "repeated", "lead sentences", "lead lines", "whole document",
        "made up", "made up, right names", "values with commas", "values with and", "bag of words", "telegram",
        "denied",
    ]  # fmt: skip
    assert {name: means[name] for name in lowest if means[name] > 1.3} == {}
    for name in ("values in a row", "values after a verb", "three times as long", "negated", "swapped"):
        assert means[name] < reference - 1.2, (name, means[name], reference)
    for name in ("superseded", "reversed"):  # one wrong date in an otherwise whole summary
        assert means[name] < reference, (name, means[name], reference)


def test_coverage_grows_with_each_fact_and_overall_with_it() -> None:
    document = moving()
    kinds = ["event", "when", "where", "why", "change", "cause", "request", "outcome", "detail"]
    scores = [rate(document, summary_of_facts(document, kinds[:n], seed=1)) for n in range(1, len(kinds) + 1)]
    for fewer, more in pairwise(scores):
        assert more.coverage >= fewer.coverage
        assert more.overall > fewer.overall - 0.15
    assert len({round(score.overall, 3) for score in scores}) >= 8


def test_length_is_part_of_overall() -> None:
    document = moving()
    assert rate(document, f"{WHOLE} {WHOLE} {WHOLE}").overall < 3
    padded = WHOLE + " They also talk about other things, and there is some small talk." * 8
    assert rate(document, padded).overall < rate(document, WHOLE).overall - 2


@given(st.text(max_size=400))
@settings(max_examples=60, deadline=None)
def test_any_text_is_rated_between_one_and_seven(text: str) -> None:
    ratings = rate(moving(), text)
    assert all(1 <= getattr(ratings, axis) <= 7 for axis in ("coverage", "accuracy", "coherence", "overall"))
    if not any(character.isalnum() for character in text):
        assert ratings.overall == 1


@given(st.integers(0, 10**6))
@example(202501)  # more commas than words in one sentence
@settings(max_examples=40, deadline=None)
def test_shuffling_the_words_never_pays(seed: int) -> None:
    words = WHOLE.split()
    Random(seed).shuffle(words)
    assert rate(moving(), " ".join(words)).overall < 2


def test_a_text_of_a_megabyte_does_not_stop_it() -> None:
    assert rate(moving(), "Amara is moving into a loft. " * 40_000).overall < 1.5
    assert rate(moving(), "x" * 1_000_000).overall < 1.5


def test_reference_summaries_are_mediocre_and_varied(sample: list[Document]) -> None:
    texts = [summary_at(document, "reference", seed=0) for document in sample]
    low, high = REFERENCE_WORDS
    assert mean(low <= len(written.text.split()) <= high for written in texts) > 0.97
    shares = [len(written.right) / len(document.meta["facts"]) for written, document in zip(texts, sample)]
    assert 0.45 < mean(shares) < 0.7
    assert 0.1 < mean(bool(written.wrong) for written in texts) < 0.4
    told = {kind for written in texts for kind in written.right}
    assert told == {"event", "when", "where", "why", "change", "cause", "request", "outcome", "detail"}
    document = sample[0]
    assert reference_summary(document, seed=1) == reference_summary(document, seed=1)
    assert len({ideal_summary(document, seed=seed).text for seed in range(20)}) > 15
    assert reference_summary(document).maker.role == "reference"
    with pytest.raises(UserError, match="ideal, reference, vague, wrong"):
        reference_summary(document, level="splendid")  # type: ignore[arg-type]


def test_rating_records_keep_the_exact_value() -> None:
    document = moving()
    candidate = ideal_summary(document)
    records = rating_records(document, candidate)
    assert [record.axis for record in records] == ["coverage", "accuracy", "coherence", "overall"]
    exact = rate(document, candidate.text)
    assert all(record.value == exact.rounded()[record.axis] for record in records)
    assert all(float(record.note) == pytest.approx(getattr(exact, record.axis), abs=1e-4) for record in records)
    with pytest.raises(BadInput, match="sandbox"):
        rate(Document("A dog barked."), "A dog barked.")
