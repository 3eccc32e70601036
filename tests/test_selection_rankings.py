"""Ranked groups with what is imitated beside them, and the pairs that ranks make."""

from __future__ import annotations

from precis.records import Candidate, Document, Group, Maker, Preference
from precis.selection import beside, pairs_from_ranks

DOCUMENT = Document("A dog barked all night.")
POLICY, PERSON = Maker("policy", "m"), Maker("reference", "hand")


def candidates(*texts: str, maker: Maker = POLICY) -> tuple[Candidate, ...]:
    return tuple(Candidate(DOCUMENT.id, text, maker, index) for index, text in enumerate(texts))


def test_what_is_imitated_stands_beside_the_ranked_and_has_no_rank() -> None:
    group = Group(DOCUMENT, candidates("a", "b"), ranks=(1, 0))
    references = candidates("good", "", maker=PERSON)
    (made,) = beside([group], {DOCUMENT.id: references}).groups
    assert [candidate.text for candidate in made.candidates] == ["a", "b", "good"]
    assert made.ranks == (1, 0, None) and made.imitated == (2,)


def test_a_ranked_candidate_can_be_imitated_too_and_a_group_without_a_target_is_counted() -> None:
    ranked = candidates("a", "b")
    group = Group(DOCUMENT, ranked, ranks=(0, 1))
    (made,) = beside([group], {DOCUMENT.id: ranked[1:]}).groups
    assert made.candidates == ranked and made.ranks == (0, 1) and made.imitated == (1,)
    assert beside([group], {}).counts == {"groups": 1, "kept": 0, "nothing to imitate": 1}


def test_ranks_make_pairs_but_not_of_ties_nor_of_one_text() -> None:
    group = Group(DOCUMENT, candidates("a", "b", "c", "a", "left out"), ranks=(0, 1, 1, 2, None))
    made = pairs_from_ranks([group])
    assert made.groups[0].preferences == tuple(Preference(*pair) for pair in ((0, 1), (0, 2), (1, 3), (2, 3)))
    assert made.counts == {"groups": 1, "kept": 1, "pairs": 4, "tied": 2}
    assert pairs_from_ranks([Group(DOCUMENT, candidates("a"), ranks=(0,))]).counts["without pair"] == 1
