"""What a judge of lists likes: places, length, copying, new words; by hand, and on GPT-4's released rankings.

Run: python -m pytest tests/test_evaluation_judgebias.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from precis.data import read
from precis.evaluation.judgements.judgebias import TRAITS, judge_bias, slot_table
from precis.evaluation.judgements.slots import uniformity
from precis.records import Candidate, Document, Failure, Group, JudgeInfo, Maker, Ranking, Rating, Score

REAL = Path(__file__).parent / ".." / ".." / "shared" / "data" / "sumllm" / "gptrank_gpt4.jsonl"
SCORED = REAL.parent / "gptscore_davinci003.jsonl"
JUDGE = JudgeInfo("j")
POLICY = Maker("policy", "m")


def group(name: str, texts: list[str], tiers: list[list[int]], shown: list[int] | None) -> Group:
    """A group ranked by `JUDGE`; candidates by their place in `texts`."""
    document = Document(f"the old dog barked at the car {name}")
    candidates = tuple(Candidate(document.id, text, POLICY, index) for index, text in enumerate(texts))
    ids = [candidate.id for candidate in candidates]
    ranking = Ranking(
        JUDGE,
        document.id,
        tuple(tuple(ids[n] for n in tied) for tied in tiers),
        None if shown is None else tuple(ids[n] for n in shown),
    )
    return Group(document, candidates, judgements=(ranking,))


def test_slots_by_hand() -> None:
    lists = [
        ("d1", np.array([3.0, 2, 1])),
        ("d2", np.array([2.0, 2, 1])),
        ("d3", np.array([1.0, 0])),
        ("d4", np.ones(1)),
    ]
    two, three = slot_table(lists, resamples=200)
    assert (two.size, two.lists, three.size, three.lists) == (2, 1, 3, 2)
    assert [slot.best for slot in three.slots] == [1.5, 0.5, 0], "a tie is shared"
    assert [slot.worst for slot in three.slots] == [0, 0, 2]
    assert [slot.place for slot in three.slots] == [1, 2, 3]
    assert three.slots[0].best_share.value == 0.75
    never = three.slots[2].best_share
    assert never.value == 0 and never.high == pytest.approx(1 - 0.025 ** (1 / 2)), "no hit in 2: Clopper–Pearson"


def test_traits_by_hand() -> None:
    """Ranked first the two words, then four, then six; the first is all copied, the last is all new."""
    texts = ["the old", "the old cat slept", "my cats sleep by every window"]
    one = group("one", texts, [[0], [1], [2]], [2, 1, 0])
    other = group("two", texts, [[2], [1], [0]], None)
    (found,) = judge_bias([one, other], resamples=200)
    assert (found.judge, found.lists, found.unknown_order, found.failures, found.unusable) == ("j", 2, 1, 0, 0)
    assert found.traits["place"].value == pytest.approx(1) and found.traits["place"].n == 1
    assert found.traits["place"].missing == 1
    # −1 in the first document and +1 in the second.
    assert found.traits["words"].value == pytest.approx(0) and found.traits["words"].n == 2
    (alone,) = judge_bias([one], resamples=200)
    assert alone.traits["words"].value == pytest.approx(-1)
    assert alone.traits["copying"].value == pytest.approx(1), "1 of 1 bigrams, 1 of 3, 0 of 5"
    # Two words have no trigram; "the old cat" and "old cat slept" are new, as the four of the last: no difference.
    assert alone.traits["novelty"].value is None and "novelty" in alone.traits["novelty"].why
    assert alone.shown.value == 1


def test_what_was_not_shown_and_not_usable_is_counted() -> None:
    copies = group("one", ["a b", "c d", "a b", ""], [[1], [0, 2]], [0, 1])
    (found,) = judge_bias([copies], resamples=200)
    assert found.shown.value == 0.5, "two of four: one is a copy, one is empty"
    assert found.slots[0].size == 2
    assert [slot.best for slot in found.slots[0].slots] == [0, 1]
    failure = Failure(JUDGE, copies.source.id, (copies.candidates[3].id,), "empty")
    lacking = replace(copies, candidates=copies.candidates[:2], judgements=(*copies.judgements, failure))
    (found,) = judge_bias([lacking], resamples=200)
    assert (found.lists, found.unusable, found.failures) == (0, 1, 1)
    assert found.slots == () and found.shown.value is None and set(found.traits) == set(TRAITS)
    assert judge_bias([replace(copies, judgements=())]) == []


def test_scores_and_ratings_are_lists_too() -> None:
    """Scores of 1, 2 and 10 for two, four and six words; two scores of one text are averaged."""
    texts = ["the old", "the old cat slept", "my cats sleep by every window"]
    one = group("one", texts, [[0, 1, 2]], None)
    ids = [candidate.id for candidate in one.candidates]
    scorer, source = JudgeInfo("scorer"), one.source.id
    said = [Score(scorer, source, id, value, "points") for id, value in zip(ids, (1.0, 2.0, 9.0), strict=True)]
    said.append(Score(scorer, source, ids[2], 11.0, "points", repeat=1))
    said.append(Score(JudgeInfo("j"), source, ids[0], 1.0, "points"))
    rated = [Rating(JudgeInfo("expert"), source, id, "style", value) for id, value in zip(ids, (3, 2, 1), strict=True)]
    found = {own.judge: own for own in judge_bias([replace(one, judgements=(*one.judgements, *said, *rated))])}
    assert set(found) == {"j", "scorer", "j (scores)", "expert: style"}
    assert found["scorer"].traits["words"].value == pytest.approx(1)
    assert found["expert: style"].traits["words"].value == pytest.approx(-1)
    assert found["scorer"].traits["place"].value is None and found["scorer"].unknown_order == 1
    assert found["j"].traits["words"].value is None and found["j"].ends["words"].difference.value is None, "all tied"
    ends = found["scorer"].ends["words"]
    assert (ends.best.value, ends.worst.value, ends.difference.value) == (6, 2, 4)
    stored = {own.judge: own for own in judge_bias([replace(one, judgements=tuple(said))], stored_order=True)}
    assert stored["scorer"].traits["place"].value == pytest.approx(1)
    assert [slot.best for slot in stored["scorer"].slots[0].slots] == [0, 0, 1]
    assert stored["scorer"].by_place["words"].value == pytest.approx(1)


def test_pearson_is_of_the_rank_and_the_trait_as_it_is() -> None:
    """Ranks 1, 2, 3 and words 2, 4, 12: rho is 1, r is 10 / √(2 · 56)."""
    one = group("one", ["a b", "a b c d", "a b c d e f g h i j k l"], [[2], [1], [0]], None)
    (rho,), (r,) = judge_bias([one]), judge_bias([one], method="pearson")
    assert rho.traits["words"].value == pytest.approx(1)
    assert r.traits["words"].value == pytest.approx(10 / 112**0.5)


def test_uniformity_by_hand() -> None:
    """(10 − 20)² / 20 twice is 10; with two degrees of freedom p is e^{−5}."""
    found = uniformity([10, 20, 30])
    assert (found.chi_square, found.degrees) == (pytest.approx(10), 2)
    assert found.p_value == pytest.approx(np.exp(-5))
    few = uniformity([2, 6, 4])
    assert few.p_value is None and "4 hits a place are expected" in few.why
    assert uniformity([8, 8]).p_value == 1


@pytest.mark.skipif(not SCORED.exists(), reason="shared/data/sumllm is not beside this checkout")
def test_gptscore_likes_copying() -> None:
    """Training and validation lists together gave −0.437 ± 0.059; here are the 100 training lists."""
    records = list(read("sumllm", SCORED))
    groups = [
        Group(
            document,
            tuple(c for c in records if isinstance(c, Candidate) and c.source_id == document.id),
            judgements=tuple(s for s in records if isinstance(s, Score) and s.source_id == document.id),
        )
        for document in records
        if isinstance(document, Document)
    ]
    (found,) = judge_bias(groups, stored_order=True, resamples=300)
    novelty, copying = found.traits["novelty"], found.traits["copying"]
    assert found.lists == novelty.n == 100
    assert novelty.low is not None and novelty.high is not None and novelty.low < -0.437 < novelty.high < -0.3
    assert copying.low is not None and copying.low > 0.2


@pytest.fixture(scope="module")
def released() -> list[Group]:
    """The 500 released lists, with the stored order taken for the order shown (as the rows themselves do not say)."""
    if not REAL.exists():
        pytest.skip("shared/data/sumllm is not beside this checkout")
    found: dict[str, tuple[Document, list[Candidate]]] = {}
    groups = []
    for record in read("sumllm", REAL):
        if isinstance(record, Document):
            found[record.id] = (record, [])
        elif isinstance(record, Candidate) and record.maker.role == "policy":
            found[record.source_id][1].append(record)
        elif isinstance(record, Ranking):
            document, candidates = found[record.source_id]
            shown = tuple(candidate.id for candidate in candidates)
            groups.append(Group(document, tuple(candidates), judgements=(replace(record, shown=shown),)))
    return groups


def test_gpt4_never_ranked_the_last_summary_first(released: list[Group]) -> None:
    (slots,) = slot_table([(group.source.id, goodness(group)) for group in released], resamples=300)
    assert slots.lists == 500
    assert [slot.best for slot in slots.slots] == [42, 106, 153, 83, 60, 41, 15, 0]
    assert [slot.worst for slot in slots.slots] == [15, 17, 22, 36, 32, 32, 87, 259]
    last = slots.slots[7]
    assert last.best_share.high is not None and last.best_share.high < 0.01
    assert last.worst_share.low is not None and last.worst_share.low > 0.45


def test_gpt4_liked_length_and_not_novelty(released: list[Group]) -> None:
    """All 500 lists give +0.234 [0.198, 0.265], −0.016 [−0.052, 0.017] and, for the place, −0.389; here 150 of them."""
    (found,) = judge_bias(released[:150], resamples=300)
    words, novelty, place = (found.traits[trait] for trait in ("words", "novelty", "place"))
    assert found.lists == words.n == 150
    assert words.low is not None and 0.1 < words.low < 0.25
    assert novelty.low is not None and novelty.high is not None and novelty.low < 0.03 and novelty.high > -0.03
    assert place.high is not None and place.high < -0.3
    assert found.shown.value == 1


def goodness(group: Group) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Minus the rank of each candidate, in the order of the row."""
    (ranking,) = group.judgements
    assert isinstance(ranking, Ranking)
    best_first = list(ranking.candidate_ids)
    return -np.array([float(best_first.index(candidate.id)) for candidate in group.candidates])
