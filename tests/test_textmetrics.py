"""Text measures against hand-worked values, slow definitions and the package `rouge-score`."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from precis.textmetrics import (
    ROUGE_TYPES,
    copying,
    count_words,
    fragments,
    is_dialogue,
    lcs_length,
    lead,
    longest,
    novel_ngrams,
    repetition,
    rouge,
    rouge_f1,
    rouge_reads,
    sentences,
    text_statistics,
    words,
)

DATA = Path(__file__).parent / ".." / ".." / "shared" / "data"
letters = st.lists(st.sampled_from("abcd"), max_size=12)

DIALOGUE = "Ann: Hi.\nBo: Hello there Ann, how are you today?\nAnn: Fine.\nBo: Good.\nAnn: I must go to the shop now."
PROSE = (
    'Mr. Smith left at 5 p.m. on Monday. "Why?" she asked. It cost 3.5 dollars! J. K. Rowling said no. Then… nothing.'
)


def test_sentences_by_hand() -> None:
    assert sentences(PROSE) == [
        "Mr. Smith left at 5 p.m. on Monday.",
        '"Why?" she asked.',
        "It cost 3.5 dollars!",
        "J. K. Rowling said no.",
        "Then… nothing.",
    ]
    assert sentences("你好。再见！ok") == ["你好。", "再见！ok"]  # no cut before a lower-case letter
    assert sentences("One line\n\n  another one  \n") == ["One line", "another one"]
    assert sentences(" \n ") == []
    assert sentences('He said "Stop." Then he left.') == ['He said "Stop."', "Then he left."]
    assert sentences("It was me and I. Then we left.") == ["It was me and I.", "Then we left."]


@given(st.text(alphabet="aB.!? \n\"'3。", max_size=60))
def test_sentences_lose_nothing_but_white_space(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_words_in_several_scripts() -> None:
    assert words("It's #Person1#: HELLO, 🎉 3.50") == ["it's", "person1", "hello", "3.50"]
    assert words("हिन्दी में") == ["हिन्दी", "में"]
    assert words("شكرا لك!") == ["شكرا", "لك"]
    assert count_words("你好") == 2
    assert count_words(" 🎉 … ") == 0


def test_lead_and_longest() -> None:
    assert is_dialogue(DIALOGUE)
    assert not is_dialogue(PROSE)
    assert not is_dialogue("Ann: Hi.")
    assert lead(DIALOGUE, 2) == "Ann: Hi.\nBo: Hello there Ann, how are you today?"
    assert longest(DIALOGUE, 2) == "Bo: Hello there Ann, how are you today?\nAnn: I must go to the shop now."
    assert (
        longest("Bo: a b c d.\nBo: a b.\nBo: a b.\nBo: a b c d e.", 3).splitlines()[1] == "Bo: a b."
    )  # earlier of equals
    assert lead(PROSE, 1) == "Mr. Smith left at 5 p.m. on Monday."
    assert lead("only one", 3) == "only one"
    assert lead(DIALOGUE, 1, unit="sentence") == "Ann: Hi."


def test_dialogsum_baselines_reproduce_the_published_yardsticks() -> None:
    file = DATA / "dialogsum" / "test.jsonl"
    if not file.is_file():
        pytest.skip("DialogSum is not on this machine")
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    references = [row["summaries"] for row in rows]

    def scores(summaries: list[str]) -> list[float]:
        return [100 * float(values.mean()) for values in rouge_f1(summaries, references).values()]

    lead3 = scores([lead(row["dialogue"]) for row in rows])
    assert lead3[:3] == pytest.approx([26.9, 6.7, 20.4], abs=0.06)
    longest3 = scores([longest(row["dialogue"]) for row in rows])  # published 24.1 and 6.2, another implementation
    assert longest3[:2] == pytest.approx([24.1, 6.2], abs=1)


# ROUGE


def random_texts(seed: int, count: int) -> list[str]:
    chooser = random.Random(seed)
    vocabulary = [
        "running",
        "runs",
        "Dog",
        "dogs'",
        "the",
        "a",
        "cat.",
        "Cats!",
        "3.5",
        "naïve",
        "—",
        "日本",
        "happily?",
    ]
    vocabulary += ["went", "\n", "She", "U.S.", "e-mail", "#Person1#"]
    return [" ".join(chooser.choices(vocabulary, k=chooser.randrange(40))) for _ in range(count)]


@pytest.mark.parametrize("stem", [True, False])
def test_rouge_equals_rouge_score(stem: bool) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    candidates, references = random_texts(1, 120), random_texts(2, 120)
    mine = rouge(candidates, [[text] for text in references], stem=stem)
    oracle = RougeScorer(list(ROUGE_TYPES), use_stemmer=stem)
    for n, (candidate, reference) in enumerate(zip(candidates, references)):
        for kind, expected in oracle.score("\n".join(sentences(reference)), "\n".join(sentences(candidate))).items():
            got = (mine[kind].precision_N[n], mine[kind].recall_N[n], mine[kind].f1_N[n])
            assert got == pytest.approx(tuple(expected), abs=1e-12)


def test_cutting_sentences_changes_lsum_only() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    texts, references = random_texts(3, 60), random_texts(4, 60)
    mine = rouge_f1(texts, [[text] for text in references])
    oracle = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    for n, (text, reference) in enumerate(zip(texts, references)):
        for kind, expected in oracle.score(reference, text).items():
            assert mine[kind][n] == pytest.approx(expected.fmeasure, abs=1e-12)


def test_rouge_over_references_by_hand() -> None:
    # "a b" against "a b c d": P 1, R 1/2, F 2/3; against "a": P 1/2, R 1, F 2/3; against "x y": 0.
    one = rouge(["a b"], [["a b c d", "a", "x y"]], types=["rouge1"])["rouge1"]
    assert (one.precision_N[0], one.recall_N[0], one.f1_N[0]) == pytest.approx((1.5 / 3, 1.5 / 3, 4 / 9))
    best = rouge(["a b"], [["x y", "a b c d", "a"]], types=["rouge1"], over="max")["rouge1"]
    assert (best.precision_N[0], best.recall_N[0], best.f1_N[0]) == pytest.approx((1, 1 / 2, 2 / 3))


def test_references_may_differ_in_number() -> None:
    together = rouge_f1(["a b", "c d", ""], [["a", "b"], ["c d"], ["x", "y", "z"]])
    for n, (text, references) in enumerate([("a b", ["a", "b"]), ("c d", ["c d"])]):
        alone = [rouge_f1([text], [[reference]])["rouge1"][0] for reference in references]
        assert together["rouge1"][n] == pytest.approx(np.mean(alone))
    assert together["rouge1"][2] == 0
    assert rouge_f1([], [])["rouge2"].shape == (0,)


def test_rouge_refuses_what_it_cannot_score() -> None:
    with pytest.raises(ValueError, match="candidate 1 has no reference"):
        rouge(["a", "b"], [["a"], []])
    with pytest.raises(ValueError, match="2 candidates but references for 1"):
        rouge(["a", "b"], [["a"]])


def test_other_scripts_need_another_tokenizer() -> None:
    text = "القطة نامت"
    assert rouge_f1([text], [[text]])["rouge1"][0] == 0
    assert rouge_f1([text], [[text]], tokenizer="unicode")["rouge1"][0] == 1
    assert not rouge_reads(text)
    assert rouge_reads("a cat")
    assert rouge_reads("🎉")


# Against the document


def test_fragments_of_the_paper_by_hand() -> None:
    document = ["the", "cat", "sat", "on", "the", "mat", "and", "the", "dog", "ran"]
    summary = ["the", "cat", "ran", "on", "the", "mat", "quickly"]
    assert fragments(document, summary) == [2, 1, 3]  # "the cat", "ran", "on the mat"; "quickly" is new
    found = text_statistics(" ".join(document), [" ".join(summary)])[0]
    assert found.words == 7
    assert found.coverage == pytest.approx(6 / 7)
    assert found.density == pytest.approx((4 + 1 + 9) / 7)
    assert found.compression == pytest.approx(10 / 7)
    assert found.novel1 == pytest.approx(1 / 6)  # of the, cat, ran, on, mat, quickly
    assert found.novel2 == pytest.approx(3 / 6)  # cat ran, ran on, mat quickly
    assert found.repetition == 0


def slow_fragments(document: list[str], summary: list[str]) -> list[int]:
    """Figure 3 of Grusky et al. 2018, letter by letter."""
    found, i = [], 0
    while i < len(summary):
        best, j = 0, 0
        while j < len(document):
            if summary[i] != document[j]:
                j += 1
                continue
            k = 0
            while i + k < len(summary) and j + k < len(document) and summary[i + k] == document[j + k]:
                k += 1
            best = max(best, k)
            j += k
        if best:
            found.append(best)
        i += max(best, 1)
    return found


@given(letters, letters)
def test_fragments_are_at_least_as_long_as_the_papers(document: list[str], summary: list[str]) -> None:
    # The paper's pseudocode jumps over starts inside a matched run, so that it can miss a longer one; ours cannot.
    mine, theirs = fragments(document, summary), slow_fragments(document, summary)
    assert sum(mine) == sum(theirs)
    assert (mine or [0])[0] >= (theirs or [0])[0]


@given(letters, letters)
def test_bit_parallel_lcs_is_the_lcs(a: list[str], b: list[str]) -> None:
    @cache
    def slow(i: int, j: int) -> int:
        if not i or not j:
            return 0
        if a[i - 1] == b[j - 1]:
            return slow(i - 1, j - 1) + 1
        return max(slow(i - 1, j), slow(i, j - 1))

    assert lcs_length(a, b) == slow(len(a), len(b))


def test_copying_by_hand() -> None:
    # Bigrams of the document: ab bc cd de; of the summary: cd da ab bc. "ab bc" is the longest common subsequence.
    assert copying(list("abcde"), list("cdabc")) == pytest.approx(2 / 4)
    assert copying(list("abcde"), list("abcde")) == 1
    assert copying(list("abcde"), list("xyz")) == 0
    assert copying(list("abcde"), ["a"]) is None


def test_repetition_and_novelty_by_hand() -> None:
    assert repetition(["a", "b", "c", "a", "b", "c", "a", "b", "c"]) == pytest.approx(1 - 3 / 7)
    assert repetition(["a", "b"]) is None
    assert novel_ngrams(["a", "b", "c"], ["a", "b", "d"], 2) == pytest.approx(1 / 2)
    assert novel_ngrams(["a", "b", "c"], ["a", "b"], 3) is None


def test_empty_summary_is_undefined_not_zero() -> None:
    empty = text_statistics("A document.", ["", " 🎉 "])
    for found in empty:
        assert found.words == 0
        assert [found.compression, found.coverage, found.density, found.copying, found.repetition] == [None] * 5
    nothing = text_statistics("", ["A summary."])[0]
    assert nothing.compression == 0
    assert nothing.novel1 == 1
