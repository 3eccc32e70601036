"""The simulated list-wise annotator: ties of equal texts, failures, a liking for places that permuted passes mend."""

from __future__ import annotations

from dataclasses import replace

from precis.judges.ranker import RankerJudge
from precis.judges.run import run_judge
from precis.records import Candidate, Document, Failure, Group, Maker, Ranking
from precis.sandbox import RankerSettings, documents, ideal_summary, reference_summary
from precis.store import Store
from sandbox_world import moving

POLICY = Maker("policy", "m")


def group(*texts: str, source: Document | None = None) -> Group:
    source = source or moving()
    return Group(source, tuple(Candidate(source.id, text, POLICY, index) for index, text in enumerate(texts)))


GOOD = "Amara moves into a loft in Harbour Street on Friday at three and asks Ben to lend her his van."
POOR = "They talk."


def test_without_noise_the_oracle_ranks_and_equal_texts_are_tied() -> None:
    judge = RankerJudge(settings=RankerSettings(temperature=0.0))
    made = group(POOR, GOOD, POOR, "")
    said = judge.judge([made])[0]
    failures = [one for one in said if isinstance(one, Failure)]
    (ranking,) = (one for one in said if isinstance(one, Ranking))
    poor, good, again, empty = (candidate.id for candidate in made.candidates)
    assert ranking.tiers == ((good,), (poor, again)) and ranking.judge == judge.info
    assert sorted(ranking.shown or ()) == sorted((poor, good))
    assert [(one.candidate_ids, one.why) for one in failures] == [((empty,), "the candidate is empty")]


def test_several_passes_are_rankings_of_their_own_and_one_joined() -> None:
    judge = RankerJudge(passes=3, settings=RankerSettings(temperature=0.0))
    said = judge.judge([group(POOR, GOOD)])[0]
    assert [one.judge.name for one in said] == ["ranker pass"] * 3 + ["ranker"]
    assert [one.repeat for one in said] == [0, 1, 2, 0]  # type: ignore[union-attr]
    assert said[-1].note == "Borda counts of 3 passes"  # type: ignore[union-attr]


def test_nothing_to_rank_and_no_sandbox_document_are_failures() -> None:
    (same,) = RankerJudge().judge([group(GOOD, GOOD)])
    assert [one.why for one in same if isinstance(one, Failure)] == [
        "there is only one text, so there is nothing to rank"
    ] * 2
    (elsewhere,) = RankerJudge().judge([group(GOOD, POOR, source=Document("A dog barked."))])
    assert all(isinstance(one, Failure) and "sandbox" in one.why for one in elsewhere) and len(elsewhere) == 2


def test_a_liking_for_places_is_mended_by_permuted_passes() -> None:
    """In the group's own order whatever stands first wins; permuted passes do not know how the group is ordered."""

    def tiers(judge: RankerJudge, made: Group) -> tuple[tuple[str, ...], ...]:
        ranking = judge.judge([made])[0][-1]
        assert isinstance(ranking, Ranking)
        return ranking.tiers

    strong, slight = (RankerSettings(temperature=0.0, position_bias=bias) for bias in (20.0, 0.3))
    for document in documents(6, seed=3, split="test"):
        made = group(reference_summary(document, seed=1).text, ideal_summary(document, seed=1).text, source=document)
        first, best = (candidate.id for candidate in made.candidates)
        turned = replace(made, candidates=made.candidates[::-1])
        fixed = RankerJudge(permute=False, settings=strong)
        assert tiers(fixed, made) == ((first,), (best,)) and tiers(fixed, turned) == ((best,), (first,))
        # Each stood first once, which is all that this judge sees.
        assert set(tiers(RankerJudge(passes=2, settings=strong), made)[0]) == {first, best}
        both = RankerJudge(passes=2, settings=slight)
        assert tiers(both, made) == tiers(both, turned) == ((best,), (first,))


def test_what_was_ranked_is_not_asked_again(tmp_path: object) -> None:
    with Store(tmp_path) as store:  # type: ignore[arg-type]
        made = group(POOR, GOOD)
        assert isinstance(made.source, Document)
        store.add_documents([made.source])
        store.add_candidates(made.candidates)
        judge = RankerJudge(passes=2)
        assert run_judge(store, judge, [made], quiet=True).judgements == 3
        assert run_judge(store, judge, [made], quiet=True).asked == 0
