"""Candidates that differ: repeated texts are dropped and counted, then the most diverse of the others are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precis import selection
from precis.data import import_into
from precis.records import Candidate, Document, Group, Maker, Preference
from precis.store import Store
from precis.textmetrics import lcs_length, rouge_f1, words

DOCUMENT = Document("A dog barked all night.")
POLICY = Maker("policy", "m")
REAL = Path(__file__).parent / ".." / ".." / "shared" / "data" / "sumllm" / "gptscore_davinci003.jsonl"


def group(*texts: str, logps: tuple[float | None, ...] = ()) -> Group:
    logps = logps or (None,) * len(texts)
    return Group(
        DOCUMENT,
        tuple(Candidate(DOCUMENT.id, t, POLICY, i, logp=p) for i, (t, p) in enumerate(zip(texts, logps, strict=True))),
    )


def slots(made: selection.Selection) -> list[list[int]]:
    return [[candidate.index for candidate in one.candidates] for one in made.groups]


def test_repeated_and_empty_texts_are_dropped_and_counted() -> None:
    """White space aside; another case is another text. Of repeated texts the most probable stays."""
    made = selection.distinct(
        [
            group("a dog", " a  dog\n", "A dog", "", "…", "a cat", logps=(-3.0, -2.0, None, -1.0, -1.0, -4.0)),
            group(" "),
        ],
        n=9,
    )
    assert slots(made) == [[1, 2, 5]]
    assert made.counts == {"groups": 2, "kept": 1, "duplicates": 1, "empty": 3, "without candidates": 1}


def test_the_most_probable_comes_first_then_the_farthest() -> None:
    """Of words, F1 of the longest common subsequence. Slot 2 is the most probable. With it, "a b c d" has 3 of 4
    words (¾), "a b x y" 2 of 4 (½), "x y z w" nothing: slot 3 is next. Then "a b c d" has ¾ with slot 2, and
    "a b x y" has 2 of 4 with either (½): slot 1 is next, and slot 0 is the last."""
    texts = ("a b c d", "a b x y", "a b c e", "x y z w")
    logps = (-5.0, -4.0, -1.0, -9.0)
    made = [selection.distinct([group(*texts, logps=logps)], n=n) for n in (1, 2, 3, 4)]
    assert [slots(one) for one in made] == [[[2]], [[2, 3]], [[1, 2, 3]], [[0, 1, 2, 3]]]
    assert [one.counts.get("beyond n", 0) for one in made] == [3, 2, 1, 0]


def test_without_log_probabilities_the_first_comes_first() -> None:
    assert slots(selection.distinct([group("a b", "c d", "a c")], n=2)) == [[0, 1]]
    # A known probability comes before an unknown one.
    assert slots(selection.distinct([group("a b", "c d", "a c", logps=(None, None, -7.0))], n=1)) == [[2]]


def test_what_was_selected_of_a_group_before_is_undone() -> None:
    whole = group("a b", "c d")
    ranked = Group(whole.source, whole.candidates, preferences=(Preference(0, 1),), ranks=(0, 1))
    only = selection.distinct([ranked], n=1).groups[0]
    assert (only.preferences, only.ranks, only.candidates) == ((), None, whole.candidates[:1])
    with pytest.raises(ValueError, match="at least 1"):
        selection.distinct([ranked], n=0)


@given(
    texts=st.lists(st.text(alphabet="ab c", max_size=9), max_size=7),
    logps=st.lists(st.none() | st.integers(-9, 0).map(float), min_size=7, max_size=7),
    n=st.integers(1, 8),
)
def test_every_candidate_is_kept_or_counted_and_the_choice_grows(
    texts: list[str], logps: list[float | None], n: int
) -> None:
    whole = group(*texts, logps=tuple(logps[: len(texts)]))
    made, more = (selection.distinct([whole], n=size) for size in (n, n + 1))
    kept = [candidate for one in made.groups for candidate in one.candidates]
    dropped = sum(made.counts.get(what, 0) for what in ("empty", "duplicates", "beyond n"))
    assert len(kept) + dropped == len(texts)
    assert len(kept) <= n
    assert len({" ".join(candidate.text.split()) for candidate in kept}) == len(kept)
    assert {c.id for c in kept} <= {c.id for one in more.groups for c in one.candidates}
    known = [c.logp for c in whole.candidates if c.logp is not None and words(c.text)]
    assert not known or max(known) in [c.logp for c in kept]


@given(st.text(alphabet="ab ", min_size=1), st.text(alphabet="ab ", min_size=1))
def test_likeness_is_rouge_l(left: str, right: str) -> None:
    a, b = words(left), words(right)
    if a and b:
        expected = rouge_f1([left], [[right]], types=("rougeL",), stem=False)["rougeL"][0]
        assert 2 * lcs_length(a, b) / (len(a) + len(b)) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.skipif(not REAL.is_file(), reason="shared/data/sumllm is not beside this checkout")
def test_the_released_candidates_hold_ten_duplicates(tmp_path: Path) -> None:
    """SumLLM's 100 articles with 8 candidates each: ten articles have one text twice."""
    with Store(tmp_path / "feedback.db") as store:
        import_into(store, "sumllm", REAL)
        groups = list(store.groups())
    made = selection.distinct(groups, n=8)
    assert made.counts == {"groups": 100, "kept": 100, "duplicates": 10}
    assert sum(len(one.candidates) for one in made.groups) == 790
    fewer = selection.distinct(groups, n=4)
    assert fewer.counts == {"groups": 100, "kept": 100, "beyond n": 390, "duplicates": 10}
