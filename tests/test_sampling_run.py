"""Sampling into the store: what is written, what is skipped, what is counted, and resuming."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from precis.errors import UserError
from precis.records import Candidate, Document, to_json
from precis.sampling.decoding import Decoding
from precis.sampling.local import generate
from precis.sampling.run import SampleSummary, policy_maker, sample
from precis.store import Store

HOW = Decoding("temperature", max_new_tokens=10)


@dataclass
class MemoryStore:
    """A store that can be made to fail after a number of writes, as a killed run does."""

    candidates: list[Candidate] = field(default_factory=list)
    writes_left: int = 1000

    def candidate_indices(self, source_ids: Collection[str], maker_id: str) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for candidate in self.candidates:
            if candidate.maker.id == maker_id and candidate.source_id in source_ids:
                found.setdefault(candidate.source_id, set()).add(candidate.index)
        return found

    def add_candidates(self, candidates: list[Candidate]) -> None:
        if self.writes_left == 0:
            raise KeyboardInterrupt
        self.writes_left -= 1
        self.candidates += candidates


class Letters:
    """One id per letter, `a` is 3; id 5 decodes to what stands for NUL; at most `limit` letters of a document."""

    prompt_hash, tokenizer_hash = "p_1", "k_1"

    def __init__(self, limit: int = 100):
        self.limit = limit

    def prefix(self, source: Document | Candidate) -> Any:
        ids = tuple(3 + ord(letter) % 20 for letter in source.text[: self.limit])
        return SimpleNamespace(ids=ids, cut_characters=max(0, len(source.text) - self.limit))

    def decode(self, ids: Sequence[int]) -> str:
        return "".join("\ufffd" if i == 5 else chr(ord("a") + i) for i in ids if i > 2)


@pytest.fixture(scope="module")
def policy() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=23, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64, initializer_range=0.3, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = LlamaForCausalLM(config).double()
    with torch.no_grad():
        model.lm_head.weight[2] *= 3
    return SimpleNamespace(model=model, pad_id=0, eos_id=2, fingerprint="f_1")


DOCUMENTS = [
    Document(text) for text in ("a dog barked at night", "short", "the quick brown fox jumps", "cat and mouse")
]


def write(store: Any, policy: Any, **changes: Any) -> SampleSummary:
    arguments: dict[str, Any] = {"k": 3, "decoding": HOW, "seed": 1, "quiet": True, **changes}
    documents = arguments.pop("documents", DOCUMENTS)
    renderer = arguments.pop("renderer", Letters())
    return sample(store, policy, renderer, documents, **arguments)


def texts(store: MemoryStore) -> dict[tuple[str, int], tuple[Any, ...]]:
    return {(c.source_id, c.index): (c.text, c.token_ids, c.finished, c.maker) for c in store.candidates}


def to_the_last_bit(store: MemoryStore) -> dict[tuple[str, int], str]:
    return {(c.source_id, c.index): json.dumps(to_json(c), sort_keys=True) for c in store.candidates}


def test_candidates_say_what_was_sampled_and_by_whom(policy: Any) -> None:
    store = MemoryStore()
    summary = write(store, policy)
    assert (summary.documents, summary.known, summary.written, summary.engine) == (4, 0, 12, "shared")
    assert len(texts(store)) == 12
    prefixes = [Letters().prefix(document).ids for document in DOCUMENTS]
    expected = generate(policy, prefixes, k=3, decoding=HOW, seed=1, keys=[document.id for document in DOCUMENTS])
    for candidate in store.candidates:
        place = [document.id for document in DOCUMENTS].index(candidate.source_id)
        drawn = expected[place][candidate.index]
        assert candidate.token_ids == drawn.token_ids
        assert candidate.finished == drawn.finished
        assert candidate.logp == pytest.approx(sum(drawn.logps), abs=1e-12)
        assert candidate.tokenizer == "k_1"
        assert candidate.text == Letters().decode(drawn.token_ids)
        assert candidate.maker == summary.maker
    assert (summary.maker.role, summary.maker.name) == ("policy", "f_1")
    assert summary.maker.settings == {"prompt_hash": "p_1", "decoding": HOW.settings(), "seed": 1}
    assert summary.tokens == sum(len(c.token_ids or ()) for c in store.candidates)
    assert summary.unfinished == sum(not c.finished for c in store.candidates) > 0
    assert summary.empty == sum(c.is_empty for c in store.candidates)


def test_what_is_in_the_store_is_not_sampled_again(policy: Any) -> None:
    store = MemoryStore()
    write(store, policy, k=2)
    before = texts(store)
    summary = write(store, policy, k=5)
    assert (summary.known, summary.written) == (8, 12)
    whole = MemoryStore()
    write(whole, policy, k=5)
    assert texts(store) == texts(whole)
    assert before.items() <= texts(store).items()
    again = write(store, policy, k=5)
    assert (again.known, again.written, again.tokens) == (20, 0, 0)


@pytest.mark.parametrize("writes", [0, 1, 3])
def test_a_killed_run_resumes_with_the_same_result(policy: Any, writes: int) -> None:
    store, whole = MemoryStore(writes_left=writes), MemoryStore()
    with pytest.raises(KeyboardInterrupt):
        write(store, policy, max_rows=3)
    assert len(store.candidates) == 3 * writes
    store.writes_left = 1000
    assert write(store, policy, max_rows=3).written == 12 - 3 * writes
    write(whole, policy, max_rows=3)
    assert to_the_last_bit(store) == to_the_last_bit(whole)


def test_a_killed_run_in_half_precision_resumes_in_its_own_batches(policy: Any) -> None:
    """In bfloat16 another batch rounds otherwise and may draw another token; a resumed run has the same batches."""
    torch.manual_seed(0)
    half = SimpleNamespace(**vars(policy))
    half.model = LlamaForCausalLM(policy.model.config).bfloat16()
    documents = [Document(f"{text} {place}") for text in ("one", "two and two", "three") for place in range(7)]
    store, whole = MemoryStore(writes_left=2), MemoryStore()
    with pytest.raises(KeyboardInterrupt):
        write(store, half, max_rows=9, documents=documents)
    store.writes_left = 1000
    write(store, half, max_rows=9, documents=documents)
    write(whole, half, max_rows=9, documents=documents)
    assert len(texts(whole)) == 63
    assert to_the_last_bit(store) == to_the_last_bit(whole)


def test_another_seed_or_decoding_is_another_maker(policy: Any) -> None:
    makers = {
        policy_maker(policy, Letters(), decoding, seed).id
        for decoding in (HOW, Decoding("temperature", max_new_tokens=10, temperature=0.5))
        for seed in (1, 2)
    }
    assert len(makers) == 4
    greedy = Decoding("greedy")
    assert policy_maker(policy, Letters(), greedy, 1).id == policy_maker(policy, Letters(), greedy, 2).id


def test_missing_beams_are_written_at_their_rank(policy: Any) -> None:
    how = Decoding("beam", num_beams=4, max_new_tokens=6)
    store, whole = MemoryStore(), MemoryStore()
    write(store, policy, k=1, decoding=how)
    write(store, policy, k=4, decoding=how)
    write(whole, policy, k=4, decoding=how)
    assert texts(store) == texts(whole)


def test_empty_cut_and_repeated_sources_are_counted(policy: Any) -> None:
    """A policy that ends at once writes empty candidates; a source that is given twice is sampled once."""
    silent = SimpleNamespace(**{**vars(policy), "eos_id": 7})
    silent.model = LlamaForCausalLM(policy.model.config).double()
    with torch.no_grad():
        silent.model.lm_head.weight.zero_()
        silent.model.generation_config.eos_token_id = list(range(23))
    store = MemoryStore()
    summary = write(store, silent, documents=[*DOCUMENTS, DOCUMENTS[0]], renderer=Letters(limit=10))
    assert (summary.documents, summary.written, summary.cut_documents) == (4, 12, 3)
    assert all(len(c.token_ids or ()) == 1 and c.finished for c in store.candidates)
    assert summary.empty == sum((c.token_ids or (0,))[0] <= 2 for c in store.candidates) > 0


def test_a_prompt_without_room_stops_before_anything_is_written(policy: Any) -> None:
    store = MemoryStore()
    with pytest.raises(UserError, match="70 tokens and the model 64 positions"):
        write(store, policy, documents=[*DOCUMENTS, Document("x" * 70)])
    assert not store.candidates


def test_progress_says_how_fast(
    policy: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precis.progress.PLAIN_FROM_SECONDS", 0)
    write(MemoryStore(), policy, quiet=False)
    captured = capsys.readouterr()
    assert "sampling: 4/4 documents" in captured.err
    assert "tokens/s" in captured.err
    assert captured.out == ""


def test_into_a_database(policy: Any, tmp_path: Path) -> None:
    with Store(tmp_path / "feedback.db") as store:
        store.add_documents(DOCUMENTS)
        first = write(store, policy, k=2)
        second = write(store, policy, k=3)
        assert (first.written, second.known, second.written) == (8, 8, 4)
        kept = list(store.candidates())
    memory = MemoryStore()
    write(memory, policy, k=3)
    assert {c.id for c in kept} == {c.id for c in memory.candidates}
    assert {c.token_ids for c in kept} == {c.token_ids for c in memory.candidates}
