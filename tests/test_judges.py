"""Every judge answers for every candidate: a judgement, or a failure that says why; never a silent zero."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from precis import sandbox
from precis.judges.comparer import ComparerJudge
from precis.judges.copying import CopyingJudge
from precis.judges.length import LengthJudge
from precis.judges.protocol import Judge
from precis.judges.random import RandomJudge
from precis.judges.reward import RewardJudge
from precis.judges.rouge import RougeJudge
from precis.judges.run import run_judge
from precis.models import reward_model_from_policy
from precis.records import Candidate, Document, Failure, Group, Maker, Score
from precis.render import Renderer, Template
from precis.store import Store
from tiny import tiny_policy

DOCUMENT = Document("The old dog barked at the red car all night long.")
REFERENCE = Candidate(DOCUMENT.id, "A dog barked at a car.", Maker("reference", "r"))


def group(*texts: str, references: tuple[Candidate, ...] = (REFERENCE,)) -> Group:
    maker = Maker("policy", "m")
    candidates = tuple(Candidate(DOCUMENT.id, text, maker, index) for index, text in enumerate(texts))
    return Group(DOCUMENT, candidates, references=references)


def values(judge: Judge, *texts: str) -> list[float | None]:
    made = judge.judge([group(*texts)])[0]
    found = {j.candidate_ids[0]: j.value if isinstance(j, Score) else None for j in made}
    return [found[candidate.id] for candidate in group(*texts).candidates]


@pytest.mark.parametrize("judge", [RougeJudge(), LengthJudge(), CopyingJudge(), RandomJudge()])
def test_every_candidate_gets_a_verdict_and_an_empty_one_a_failure(judge: Judge) -> None:
    texts = ("A dog barked.", " \n", "A cat slept.", "")
    (made,) = judge.judge([group(*texts)])
    assert sorted(j.candidate_ids[0] for j in made) == sorted(c.id for c in group(*texts).candidates)
    assert sum(isinstance(j, Failure) for j in made) == 2
    assert all(j.judge == judge.info for j in made)
    assert judge.judge([]) == []


def test_rouge_by_hand() -> None:
    """Candidate "dog barked" against "a dog barked at a car": 2 of 2 words, 2 of 6; F1 = 2·1·⅓/(1+⅓) = ½.

    Bigrams: 1 of 1, 1 of 5: F1 = 2·1·⅕/(1+⅕) = ⅓. The longest common subsequence is the two words: ½.
    """
    assert values(RougeJudge(), "dog barked") == pytest.approx([(1 / 2 + 1 / 3 + 1 / 2) / 3])
    assert values(RougeJudge(types=("rouge2",)), "dog barked") == pytest.approx([1 / 3])


def test_rouge_without_a_reference_is_a_failure() -> None:
    (made,) = RougeJudge().judge([group("a dog", "a cat", references=())])
    assert [type(j) for j in made] == [Failure, Failure]


def test_rouge_that_reads_no_word_is_a_failure_and_not_a_zero() -> None:
    maker = Maker("reference", "r")
    arabic, latin = Candidate(DOCUMENT.id, "كلب ينبح طوال الليل", maker), Candidate(DOCUMENT.id, "dog barked", maker, 1)
    (made,) = RougeJudge().judge([group("كلب ينبح", references=(arabic,))])
    assert [type(j) for j in made] == [Failure]
    assert "Latin" in made[0].why  # type: ignore[union-attr]
    (made,) = RougeJudge().judge([group("dog barked", references=(arabic, latin))])
    assert [j.value for j in made if isinstance(j, Score)] == [1.0]


def test_rewards_that_are_no_numbers_are_failures_and_cuts_are_counted(tmp_path: Path) -> None:
    policy = tiny_policy("llama")
    model = reward_model_from_policy(policy)
    renderer = Renderer(policy.tokenizer, Template("{document} "), max_prefix_tokens=64)
    judge = RewardJudge(model, renderer, pad_id=policy.pad_id, name="tiny")
    (made,) = judge.judge([group("a dog", "", "a cat")])
    assert [type(j) for j in made] == [Failure, Score, Score]
    assert judge.cut_documents == 0
    short = RewardJudge(
        model, Renderer(policy.tokenizer, Template("{document} "), max_prefix_tokens=6), pad_id=policy.pad_id, name="s"
    )
    with Store(tmp_path) as store:
        store.add_documents([DOCUMENT])
        store.add_candidates([REFERENCE, *group("a dog").candidates])
        done = run_judge(store, short, [group("a dog")], quiet=True)
    assert str(done) == "reward: 1 judgements of 1 groups; 1 documents were cut to fit"
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan
    (made,) = judge.judge([group("a dog", "", "a cat")])
    assert [j.why for j in made if isinstance(j, Failure)][1:] == ["the reward is nan: check the model's weights"] * 2


def test_length_and_copying_by_hand() -> None:
    assert values(LengthJudge(), "one two three", "one") == [3, 1]
    assert values(LengthJudge(sign=-1), "one two three") == [-3]
    # Bigrams (the old) (old dog) (dog slept): two of three stand in the document, in order.
    assert values(CopyingJudge(), "the old dog slept", "dog", "cat") == pytest.approx([2 / 3, 1, 0])
    assert values(CopyingJudge(), "🐕!", "dog") == [None, 1], "without a word nothing is copied, and nothing is not"


def test_random_depends_on_seed_and_candidate_only() -> None:
    assert values(RandomJudge(1), "a") == values(RandomJudge(1), "a") != values(RandomJudge(2), "a")
    many = [values(RandomJudge(3), f"text {i}")[0] for i in range(400)]
    assert 0.45 < sum(value for value in many if value is not None) / 400 < 0.55
    assert RandomJudge(1).info.id != RandomJudge(2).info.id


def test_a_candidate_that_no_pair_was_drawn_with_is_not_asked_about_again(tmp_path: Path) -> None:
    (source,) = sandbox.documents(1, seed=1, split="train")
    four = tuple(Candidate(source.id, f"Text {n}.", Maker("policy", "m")) for n in range(4))
    one = Group(source, four)
    judge = ComparerJudge(pairs_per_group=1)
    with Store(tmp_path) as store:
        store.add_documents([source])
        store.add_candidates(four)
        assert run_judge(store, judge, [one], quiet=True).failures == 2
        assert run_judge(store, judge, [one], quiet=True).known == 1
        fifth = Candidate(source.id, "A fifth text.", Maker("policy", "m"))
        store.add_candidates([fifth])
        assert run_judge(store, judge, [Group(source, (*four, fifth))], quiet=True).asked == 1


def test_a_failure_is_asked_about_again_and_an_empty_candidate_is_not(tmp_path: Path) -> None:
    whole, wordless = group("A dog barked.", " "), group("...", "A cat slept.")
    with Store(tmp_path) as store:
        for own in (whole, wordless):
            store.add_documents([DOCUMENT])
            store.add_candidates(own.candidates)
        first = run_judge(store, CopyingJudge(), [whole, wordless], quiet=True)
        assert (first.asked, first.failures) == (2, 2)
        again = run_judge(store, CopyingJudge(), [whole, wordless], quiet=True)
        assert (again.asked, again.known, again.failures) == (1, 1, 1)
