"""BERTScore: the matching by hand, and a tiny encoder made on the spot against a slow definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from precis.errors import UserError
from precis.judges.bertscore import BertScoreJudge, bertscore, greedy_match
from precis.records import Candidate, Document, Failure, Group, Maker, Score

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "cat", "dog", "sat", "ran", "on", "the", "mat"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    inner = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = Whitespace()
    inner.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        model_max_length=16,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def test_greedy_matching_by_hand() -> None:
    # Cosines: c1·r1 = 1, c1·r2 = 0.6, c2·r1 = 0, c2·r2 = 0.8, c2·r3 = 1, c1·r3 = 0.
    candidate = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    reference = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    precision, recall, f1 = greedy_match(candidate, torch.ones(2), reference, torch.ones(3))
    assert precision == pytest.approx(1.0)
    assert recall == pytest.approx((1 + 0.8 + 1) / 3)
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall))
    _, weighted, _ = greedy_match(candidate, torch.ones(2), reference, torch.tensor([0.0, 3.0, 1.0]))
    assert weighted == pytest.approx((3 * 0.8 + 1) / 4)
    assert np.isnan(greedy_match(torch.zeros(0, 2), torch.zeros(0), reference, torch.ones(3))).all()


def slow(folder: Path, candidate: str, reference: str, layer: int, weights: dict[str, float]) -> tuple[float, float]:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def vectors(text: str) -> list[np.ndarray]:
        with torch.no_grad():
            hidden = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states[layer][0]
        return [(row / row.norm()).numpy() for row in hidden[1:-1]]

    ours, theirs = vectors(candidate), vectors(reference)
    w = [weights.get(word, 1.0) for word in candidate.split()]
    v = [weights.get(word, 1.0) for word in reference.split()]
    precision = sum(x * max(float(a @ b) for b in theirs) for x, a in zip(w, ours)) / sum(w)
    recall = sum(x * max(float(a @ b) for a in ours) for x, b in zip(v, theirs)) / sum(v)
    return precision, recall


def test_batched_scores_equal_the_slow_definition(encoder: Path) -> None:
    candidates = ["a cat sat", "the dog ran on the mat", "a cat sat"]
    references = [["the cat sat on the mat", "a dog"], ["a dog ran"], ["a cat sat"]]
    for layer in (0, 2):
        found = bertscore(candidates, references, encoder, layer=layer, token_budget=20)
        by_hand = [slow(encoder, candidates[0], reference, layer, {}) for reference in references[0]]
        assert found.precision_N[0] == pytest.approx(np.mean([p for p, _ in by_hand]), abs=1e-5)
        assert found.recall_N[0] == pytest.approx(np.mean([r for _, r in by_hand]), abs=1e-5)
        assert found.f1_N[2] == pytest.approx(1, abs=1e-5)
    best = bertscore(candidates[:1], references[:1], encoder, over="max").f1_N[0]
    alone = [bertscore(candidates[:1], [[reference]], encoder).f1_N[0] for reference in references[0]]
    assert best == pytest.approx(max(alone), abs=1e-5)
    last = bertscore(candidates, references, encoder)
    assert last.f1_N == pytest.approx(bertscore(candidates, references, encoder, layer=3).f1_N, abs=1e-6)


def test_idf_weighs_rare_pieces(encoder: Path) -> None:
    references = [["the cat"], ["the dog"], ["the mat"]]
    found = bertscore(["the cat ran"] * 3, references, encoder, layer=1, idf=True)
    weights = {"the": np.log(4 / 4), "cat": np.log(4 / 2), "dog": np.log(4 / 2), "ran": np.log(4)}
    precision, recall = slow(encoder, "the cat ran", "the dog", 1, weights)
    assert (found.precision_N[1], found.recall_N[1]) == pytest.approx((precision, recall), abs=1e-5)


def test_empty_and_long_texts_are_counted(encoder: Path) -> None:
    found = bertscore(["", "a cat " * 20], [["a cat"], ["a cat"]], encoder)
    assert np.isnan(found.f1_N[0])
    assert np.isfinite(found.f1_N[1])
    assert found.cut == 1


def test_mistakes_are_said(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="layers 0 to 3, not 9"):
        bertscore(["a"], [["a"]], encoder, layer=9)
    with pytest.raises(UserError, match="not an encoder"):
        bertscore(["a"], [["a"]], tmp_path)
    with pytest.raises(ValueError, match="candidate 0 has no reference"):
        bertscore(["a"], [[]], encoder)


def test_as_a_judge_it_scores_what_has_a_reference(encoder: Path, tmp_path: Path) -> None:
    document, writer = Document("a cat sat on the mat"), Maker("policy", "p")
    texts = ("a cat", "the dog ran", " ")
    candidates = tuple(Candidate(document.id, text, writer, index) for index, text in enumerate(texts))
    reference = Candidate(document.id, "the cat sat", Maker("reference", "r"))
    judge = BertScoreJudge(encoder)
    with_one, without = judge.judge([Group(document, candidates, references=(reference,)), Group(document, candidates)])
    expected = bertscore(list(texts[:2]), [["the cat sat"]] * 2, encoder).f1_N
    scores = {j.candidate_ids[0]: j.value for j in with_one if isinstance(j, Score)}
    assert [scores[candidate.id] for candidate in candidates[:2]] == pytest.approx(expected)
    assert [j.candidate_ids for j in with_one if isinstance(j, Failure)] == [(candidates[2].id,)]
    assert [type(j) for j in without] == [Failure] * 3
    with pytest.raises(UserError, match="no folder"):
        _ = BertScoreJudge(tmp_path / "none").info
