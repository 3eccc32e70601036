"""Whose score orders candidates as a judge does: by hand."""

from __future__ import annotations

import pytest

from precis.recipes.own_order import own_score_orders
from precis.records import Candidate, Document, Group, JudgeInfo, Maker, Ranking, Score
from precis.selection import best_of

JUDGE, RIGHT, WRONG, PART = JudgeInfo("ranker"), JudgeInfo("right"), JudgeInfo("wrong"), JudgeInfo("part")
# Candidates 0, 1 and 2 of each document; the judge has the last one first and the first one last.
LENGTHS = (("five words are in this", "two words", "one"), ("a b", "a b c", "a b c d"))


def choices() -> list[Group]:
    groups = []
    for number, texts in enumerate(LENGTHS):
        document = Document(f"Document {number} tells of a dog.")
        own = tuple(Candidate(document.id, text, Maker("policy", "p"), place) for place, text in enumerate(texts))
        said: list[Ranking | Score] = [Ranking(JUDGE, document.id, tuple((c.id,) for c in reversed(own)))]
        for judge, values in ((RIGHT, (0.1, 0.2, 0.3)), (WRONG, (3.0, 2.0, 1.0)), (PART, (1.0, 3.0, 2.0))):
            said += [Score(judge, document.id, c.id, value, "own") for c, value in zip(own, values, strict=True)]
        groups.append(Group(document, own, judgements=tuple(said)))
    return groups


def test_shares_of_pairs_in_the_judges_order() -> None:
    own = {"right": RIGHT, "wrong": WRONG, "part": PART}
    (order,) = own_score_orders(choices(), [JUDGE], own, name="right")
    assert order.judge == JUDGE and order.pairs.counts["pairs"] == 6
    found = {row.name: row.accuracy.value for row in order.accuracies}
    # Of three pairs a document: 1 over 0 and 2 over 0 are right by "part", 2 over 1 is not. By length, the first
    # document's are all wrong and the second's all right.
    assert found["right"] == 1 and found["wrong"] == 0
    assert found["part"] == pytest.approx(2 / 3) and found["length"] == 0.5
    gains = {gain.b: gain.difference.value for gain in order.gains}
    assert gains["wrong"] == 1 and gains["part"] == pytest.approx(1 / 3)


def test_the_best_of_a_documents_candidates_is_the_one_with_the_highest_own_score() -> None:
    for judge, place in ((RIGHT, 2), (WRONG, 0), (PART, 1)):
        assert [group.candidates[0].index for group in best_of(choices(), judge).groups] == [place, place]


def test_a_judge_that_ranks_chooses_what_it_ranks_first() -> None:
    assert [group.candidates[0].index for group in best_of(choices(), JUDGE).groups] == [2, 2]
    assert [group.candidates[0].index for group in best_of(choices(), JUDGE, n=2).groups] == [1, 1]
    assert best_of(choices(), JudgeInfo("silent")).counts == {"groups": 2, "kept": 0, "failed": 6, "unjudged": 2}
