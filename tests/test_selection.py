"""Chosen outranks rejected; ties, failures and contradictions make no pair and are counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from precis import selection
from precis.records import (
    Candidate,
    Comparison,
    Document,
    Failure,
    Group,
    JudgeInfo,
    Maker,
    Preference,
    Rating,
    Score,
)

DOCUMENT = Document("A dog barked all night.")
POLICY = Maker("policy", "m")
JUDGE = JudgeInfo("j")


def group(*scores: float | None, texts: list[str] | None = None) -> Group:
    """A group whose candidate number i has scores[i]; None is a failure."""
    texts = texts or [f"summary {index}" for index in range(len(scores))]
    candidates = tuple(Candidate(DOCUMENT.id, text, POLICY, index) for index, text in enumerate(texts))
    judgements = tuple(
        Failure(JUDGE, DOCUMENT.id, (c.id,), "no verdict") if s is None else Score(JUDGE, DOCUMENT.id, c.id, s, "x")
        for c, s in zip(candidates, scores)
    )
    return Group(DOCUMENT, candidates, judgements=judgements)


def test_best_of_takes_the_highest_and_counts_what_it_passed_over() -> None:
    made = selection.best_of([group(1, None, 3, 2), group(None, None), group(5, 5)], "j")
    assert [g.candidates[0].index for g in made.groups] == [2, 0]
    assert made.counts == {"groups": 3, "kept": 2, "failed": 3, "tied": 1, "unjudged": 1}
    assert str(made) == "2 of 3 groups kept (3 failed, 1 tied, 1 unjudged)"


def test_best_of_n_looks_at_the_first_n_only() -> None:
    assert selection.best_of([group(1, 2, 9)], "j", n=2).groups[0].candidates[0].index == 1


def test_another_judges_scores_do_not_count() -> None:
    assert selection.scores_of(group(1, 2), "someone else") == [None, None]
    assert selection.scores_of(group(1, 2), JudgeInfo("j", {"seed": 1})) == [None, None]
    assert selection.scores_of(group(1, 2), JUDGE) == [1, 2]


def test_pairs_from_scores_by_hand() -> None:
    made = selection.pairs_from_scores([group(1, 3, 3, None, 2)], "j")
    only = made.groups[0]
    assert [c.index for c in only.candidates] == [0, 1, 2, 4]  # the failed one takes no part
    assert only.preferences == (
        Preference(1, 0), Preference(2, 0), Preference(3, 0), Preference(1, 3), Preference(2, 3),
    )  # fmt: skip
    assert made.counts == {"groups": 1, "kept": 1, "failed": 1, "pairs": 5, "tied": 1}


def test_the_same_text_twice_is_a_tie_whatever_the_scores() -> None:
    made = selection.pairs_from_scores([group(1, 2, texts=["same", "same"])], "j")
    assert made.groups == () and made.counts == {"groups": 1, "kept": 0, "tied": 1, "without pair": 1}


def test_pairs_from_ratings_by_hand() -> None:
    candidates = tuple(Candidate(DOCUMENT.id, f"summary {index}", POLICY, index) for index in range(3))

    def rated(index: int, axis: str, *values: int) -> list[Rating]:
        return [Rating(JUDGE, DOCUMENT.id, candidates[index].id, axis, value, low=1, high=5) for value in values]

    # Means over the axes: 3 and 2.5 (two ratings of coherence, 1 and 3); the third has no rating of fluency.
    said = [
        *rated(0, "coherence", 4), *rated(0, "fluency", 2),
        *rated(1, "coherence", 1, 3), *rated(1, "fluency", 3), *rated(2, "coherence", 5),
    ]  # fmt: skip
    groups = [Group(DOCUMENT, candidates, judgements=tuple(said))]
    assert selection.axes_of(groups, "j") == ("coherence", "fluency")
    assert selection.ratings_of(groups[0], "j", ("coherence", "fluency")) == [3, 2.5, None]
    made = selection.pairs_from_ratings(groups, "j")
    assert made.groups[0].preferences == (Preference(0, 1),) and made.counts["failed"] == 1
    assert selection.pairs_from_ratings(groups, "j", min_gap=0.5).groups == ()
    fluent = selection.pairs_from_ratings(groups, "j", axes=["fluency"])
    assert fluent.groups[0].preferences == (Preference(1, 0),)
    assert selection.pairs_from_ratings(groups, "somebody else").groups == ()


@given(st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=2, max_size=7), st.integers(0, 3), st.integers(1, 9))
def test_chosen_always_outranks_rejected(scores: list[int | None], gap: int, most: int) -> None:
    made = selection.pairs_from_scores([group(*scores)], "j", min_gap=gap, per_group=most)
    for chosen in made.groups:
        values = selection.scores_of(chosen, "j")
        assert 0 < len(chosen.preferences) <= most
        for pair in chosen.preferences:
            winner, loser = values[pair.chosen], values[pair.rejected]
            assert winner is not None and loser is not None and winner - loser > gap


def test_comparisons_vote_and_contradictions_make_no_pair() -> None:
    base = group(0, 0, 0)
    a, b, c = (candidate.id for candidate in base.candidates)

    def vote(worker: str, left: str, right: str, choice: str) -> Comparison:
        return Comparison(JudgeInfo(f"person:{worker}"), DOCUMENT.id, left, right, choice)  # type: ignore[arg-type]

    said = (
        vote("1", a, b, "a"), vote("2", b, a, "b"), vote("3", a, b, "b"),  # a wins 2 to 1, once shown the other way
        vote("1", b, c, "a"), vote("2", b, c, "b"),  # contradicted
        vote("1", a, c, "tie"),
        vote("1", a, "c_unknown", "a"),
    )  # fmt: skip
    made = selection.pairs_from_comparisons([Group(DOCUMENT, base.candidates, judgements=said)])
    assert made.groups[0].preferences == (Preference(0, 1),)
    assert [c.index for c in made.groups[0].candidates] == [0, 1]
    assert made.counts == {
        "groups": 1, "kept": 1, "candidate missing": 1, "contradicted": 1, "pairs": 1, "tied": 1,
    }  # fmt: skip


def compared(*confidences: int | None, texts: tuple[str, str] = ("one", "two")) -> Group:
    """One pair, judged by one person a confidence: up to 4 prefers the first, from 6 on the second."""
    a, b = (Candidate(DOCUMENT.id, text, POLICY, index) for index, text in enumerate(texts))
    said = tuple(
        Comparison(
            JudgeInfo(f"person:{number}"), DOCUMENT.id, a.id, b.id, "b" if (sure or 1) > 5 else "a", confidence=sure
        )
        for number, sure in enumerate(confidences)
    )
    return Group(DOCUMENT, (a, b), judgements=said)


def test_sure_comparisons_can_weigh_more_and_ask_for_a_margin() -> None:
    # Two for the first, sure by 4/4 and 2/4; one against, who does not count towards its sureness.
    (group_,) = selection.pairs_from_comparisons([compared(1, 3, 8)], weigh=True, margin=2.0).groups
    assert group_.preferences == (Preference(0, 1, weight=0.75, margin=1.5),)
    (group_,) = selection.pairs_from_comparisons([compared(1, 3, 8)]).groups
    assert group_.preferences == (Preference(0, 1),)
    made = selection.pairs_from_comparisons([compared(None)], weigh=True)
    assert made.groups[0].preferences == (Preference(0, 1),) and made.counts["unsaid confidence"] == 1


def test_two_equal_texts_make_no_pair() -> None:
    made = selection.pairs_from_comparisons([compared(2, texts=("same", "same"))])
    assert made.counts == {"groups": 1, "kept": 0, "same text": 1, "without pair": 1}


def test_margins_grow_with_the_difference_in_score() -> None:
    (group_,) = selection.pairs_from_scores([group(1.0, 4.0)], "j", margin=0.5).groups
    assert group_.preferences == (Preference(1, 0, margin=1.5),)


def test_rankings_are_dense_and_all_tied_groups_are_left_out() -> None:
    made = selection.rankings([group(2, 5, None, 2, 7), group(1, 1), group(1)], "j")
    assert made.groups[0].ranks == (2, 1, 2, 0)
    assert made.counts == {"groups": 3, "kept": 1, "all tied": 2, "failed": 1}


def test_accepted_and_random_and_references() -> None:
    made = selection.accepted([group(1, 5, None), group(0, 0)], "j", at_least=3)
    assert [c.index for g in made.groups for c in g.candidates] == [1]
    assert made.counts == {"groups": 2, "kept": 1, "failed": 1, "rejected": 1}

    draws = [selection.random_of([group(*range(8))], seed=seed).groups[0].candidates[0].index for seed in range(200)]
    assert set(draws) == set(range(8))  # every candidate's turn comes
    assert draws[0] == selection.random_of([group(*range(8))], seed=0).groups[0].candidates[0].index

    reference = Candidate(DOCUMENT.id, "A dog kept barking.", Maker("reference", "d"))
    made = selection.reference_groups([Group(DOCUMENT, (), references=(reference,)), group(1)])
    assert made.groups[0].candidates == (reference,) and made.counts["without reference"] == 1
