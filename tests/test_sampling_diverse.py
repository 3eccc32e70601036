"""Diverse beam search against its definition: a slow search over all continuations, on random models of few tokens."""

from __future__ import annotations

import functools
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PromptTuningConfig, get_peft_model

from precis.cli import main
from precis.errors import BadInput, UserError
from precis.records import Document, to_json
from precis.sampling.beam import beam_search
from precis.sampling.decoding import Decoding, Sample
from precis.sampling.local import engine_for, generate
from precis.sampling.run import sample
from precis.sampling.unshared import Unshared
from precis.store import Store

Text = tuple[int, ...]
Logps = Callable[[Text], Sequence[float]]
Scored = tuple[Text, tuple[float, ...]]


# The definition (Vijayakumar et al. 2016), with no thought of speed


def by_definition(logps_after: Logps, how: Decoding, stop: frozenset[int], limit: int) -> list[list[Scored]]:
    """Each group's finished texts with their log-probabilities, best first."""
    width = how.num_beams // how.num_groups
    running: list[list[Scored]] = [[((), ())] for _ in range(how.num_groups)]
    finished: list[list[Scored]] = [[] for _ in range(how.num_groups)]
    searching = [True] * how.num_groups
    for length in range(1, limit + 1):
        chosen: Counter[int] = Counter()
        for group in range(how.num_groups):
            if not searching[group]:
                continue
            continuations = [
                ((*text, token), (*logps, logp))
                for text, logps in running[group]
                for token, logp in enumerate(logps_after(text))
                if not is_barred(text, token, how, stop)
            ]
            continuations.sort(key=lambda c: sum(c[1]) - how.diversity_penalty * chosen[c[0][-1]], reverse=True)
            ended = [c for c in continuations[:width] if c[0][-1] in stop or length == limit]
            running[group] = [c for c in continuations if c[0][-1] not in stop and length < limit][:width]
            finished[group] = sorted(finished[group] + ended, key=lambda c: score(c, how), reverse=True)[:width]
            chosen.update(c[0][-1] for c in running[group] + ended)
            full = len(finished[group]) == width
            if not running[group] or (full and how.early_stopping):
                searching[group] = False
            elif full:
                best = max(score(c, how) for c in running[group])
                searching[group] = best > min(score(c, how) for c in finished[group])
    return finished


def is_barred(text: Text, token: int, how: Decoding, stop: frozenset[int]) -> bool:
    if token in stop and len(text) < how.min_new_tokens:
        return True
    n, longer = how.no_repeat_ngram_size, (*text, token)
    seen = {longer[start : start + n] for start in range(len(text) - n + 1)}
    return n > 0 and len(longer) > n and longer[-n:] in seen


def score(scored: Scored, how: Decoding) -> float:
    return sum(scored[1]) / len(scored[0]) ** how.length_penalty


def in_order(groups: list[list[Scored]]) -> list[Scored]:
    """The best of every group, then the second best of every group, and so on."""
    return [group[rank] for rank in range(max(map(len, groups))) for group in groups if rank < len(group)]


class Table:
    """A random model: log-probabilities of the next token that depend on the document and on the last two tokens."""

    device = torch.device("cpu")

    def __init__(self, seed: int, vocabulary: int, documents: int, beams: int):
        self.seed, self.vocabulary = seed, vocabulary
        self.rows: list[tuple[int, Text]] = [(d, ()) for d in range(documents) for _ in range(beams)]
        self.first_tokens_N = torch.full((len(self.rows),), -1)
        self.known: dict[tuple[int, Text], list[float]] = {}
        self.fed: list[int] = []

    def logps(self, document: int, text: Text) -> list[float]:
        if (document, text[-2:]) not in self.known:
            draw = random.Random(f"{self.seed}/{document}/{text[-2:]}")
            odds = [math.exp(draw.gauss(0, 1.5)) for _ in range(self.vocabulary)]
            self.known[document, text[-2:]] = [math.log(each / sum(odds)) for each in odds]
        return self.known[document, text[-2:]]

    def step(self, tokens_N: torch.Tensor) -> torch.Tensor:
        # The first token fed belongs to the document.
        self.rows = [(d, (*text, token) if self.fed else ()) for (d, text), token in zip(self.rows, tokens_N.tolist())]
        self.fed.append(len(self.rows))
        return torch.tensor([self.logps(d, text) for d, text in self.rows], dtype=torch.float64)

    def keep(self, rows: Sequence[int]) -> None:
        documents = [self.rows[row][0] for row in rows]
        assert documents == sorted(documents)
        assert len(rows) <= len(self.rows)
        self.rows = [self.rows[row] for row in rows]


def assert_equal(found: list[Sample], expected: list[Scored], stop: frozenset[int], exactness: float = 1e-9) -> None:
    assert [one.token_ids for one in found] == [text for text, _ in expected]
    for one, (text, logps) in zip(found, expected):
        assert one.logps == pytest.approx(logps, abs=exactness)
        assert one.finished == (text[-1] in stop)
        assert one.sampled_logps is None


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 9999), width=st.integers(1, 3), groups=st.integers(1, 4))
def test_equals_the_definition(data: st.DataObject, seed: int, width: int, groups: int) -> None:
    """Whatever the groups, penalties, lengths, end tokens and constraints; several documents at once."""
    vocabulary = data.draw(st.integers(3, 12))
    stop = data.draw(st.frozensets(st.integers(0, vocabulary - 1), min_size=1, max_size=2))
    limits = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    how = Decoding(
        "diverse-beam",
        num_beams=width * groups,
        num_groups=groups,
        diversity_penalty=data.draw(st.sampled_from([0.0, 0.2, 1.0, 3.0, 50.0])),
        length_penalty=data.draw(st.sampled_from([-0.5, 0.0, 0.8, 1.0, 2.0])),
        early_stopping=data.draw(st.booleans()),
        max_new_tokens=6,
        min_new_tokens=data.draw(st.integers(0, 3)),
        no_repeat_ngram_size=data.draw(st.integers(0, 3)),
    )
    table = Table(seed, vocabulary, len(limits), how.num_beams)
    expected = [
        by_definition(functools.partial(table.logps, document), how, stop, limit)
        for document, limit in enumerate(limits)
    ]
    if not all(all(groups) for groups in expected):
        with pytest.raises(UserError, match="no text"):
            beam_search(table, how, stop, limits)
        return
    found = beam_search(table, how, stop, limits)
    for one, groups_found in zip(found, expected, strict=True):
        assert_equal(one, in_order(groups_found), stop)


@pytest.mark.parametrize("seed", [27, 40, 56, 83])
def test_a_group_goes_on_while_any_of_its_beams_could_win(seed: int) -> None:
    """In these tables the running beam that the penalty lets lead is not the likeliest one when a search may end."""
    how = Decoding(
        "diverse-beam", num_beams=6, num_groups=2, diversity_penalty=3.0, length_penalty=2.0, max_new_tokens=6
    )
    table, stop = Table(seed, 5, 1, 6), frozenset({0})
    expected = by_definition(functools.partial(table.logps, 0), how, stop, 6)
    assert_equal(beam_search(table, how, stop, [6])[0], in_order(expected), stop)


def test_by_hand() -> None:
    """Probabilities 0.5, 0.3, 0.15 of tokens 1, 2, 3 whatever was written; four groups of one beam, two tokens.

    A penalty of ln f divides a token's probability by f for each earlier group that chose it at the step.
    """
    logps = [math.log(p) for p in (0.05, 0.5, 0.3, 0.15)]

    class Same(Table):
        def logps(self, document: int, text: Text) -> list[float]:
            return logps

    def texts(penalty: float) -> list[Text]:
        how = Decoding(
            "diverse-beam", num_beams=4, num_groups=4, diversity_penalty=penalty, max_new_tokens=2, min_new_tokens=2
        )
        found = beam_search(Same(0, 4, 1, 4), how, frozenset({0}), [2])[0]
        assert [one.logp for one in found] == pytest.approx([sum(logps[t] for t in one.token_ids) for one in found])
        return [one.token_ids for one in found]

    # For the second group 1 counts 0.263 against 0.3; for the third 0.263 against 0.158; for the fourth 0.139, 0.158
    # and 0.15.
    assert texts(math.log(1.9)) == [(1, 1), (2, 2), (1, 1), (2, 2)]
    # 0.238 against 0.3; 0.238 against 0.143 and 0.15; 0.113, 0.143 and 0.15.
    assert texts(math.log(2.1)) == [(1, 1), (2, 2), (1, 1), (3, 3)]
    assert texts(0.0) == [(1, 1)] * 4
    assert texts(100.0) == [(1, 1), (2, 2), (3, 3), (1, 1)]


@pytest.mark.parametrize("groups", [2, 4])
def test_without_a_penalty_every_group_is_a_plain_search(groups: int) -> None:
    stop, limits = frozenset({2}), [5, 7]
    diverse = Decoding("diverse-beam", num_beams=8, num_groups=groups, diversity_penalty=0.0)
    plain = Decoding("beam", num_beams=8 // groups)
    alone = beam_search(Table(3, 9, 2, plain.num_beams), plain, stop, limits)
    for own, found in zip(alone, beam_search(Table(3, 9, 2, 8), diverse, stop, limits), strict=True):
        assert found == [one for one in own for _ in range(groups)]


def test_rows_of_a_group_that_is_over_are_not_fed() -> None:
    """A first group that ends at once leaves; the others, which the penalty keeps from its token, go on."""

    class Ends(Table):
        def logps(self, document: int, text: Text) -> list[float]:
            # After token 1 the end (0) is sure; after any other it is far.
            return [-0.01, -9.0, -9.1, -9.2] if text[-1:] == (1,) else [-9.0, -0.1, -2.0, -4.0]

    how = Decoding("diverse-beam", num_beams=3, num_groups=3, diversity_penalty=50.0, max_new_tokens=4)
    table = Ends(0, 4, 1, 3)
    found = beam_search(table, how, frozenset({0}), [4])[0]
    assert found[0].token_ids == (1, 0)
    assert table.fed == [3, 3, 2, 2]
    assert not any(one.token_ids[0] == 1 for one in found[1:])


# The engine


VOCABULARY = 13
COMMON: dict[str, Any] = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
PREFIXES = [[5, 7, 3, 9, 4], [8, 6], [12, 3, 3, 10, 5, 11, 7]]


def llama() -> Any:
    shape = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    return tf.LlamaForCausalLM(
        tf.LlamaConfig(**COMMON, **shape, max_position_embeddings=64, initializer_range=0.6)
    )  # fmt: skip


def bart() -> Any:
    half = {"layers": 2, "attention_heads": 2, "ffn_dim": 24}
    shape = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in half.items()}
    config = tf.BartConfig(
        **COMMON, **shape, d_model=16, decoder_start_token_id=2, max_position_embeddings=64, init_std=0.6,
        forced_eos_token_id=None,
    )  # fmt: skip
    return tf.BartForConditionalGeneration(config)


def bloom() -> Any:
    return tf.BloomForCausalLM(
        tf.BloomConfig(**COMMON, hidden_size=16, n_layer=2, n_head=2, initializer_range=0.6)
    )  # fmt: skip


def mamba() -> Any:
    return tf.MambaForCausalLM(
        tf.MambaConfig(**COMMON, hidden_size=16, num_hidden_layers=1, state_size=4, initializer_range=0.6)
    )  # fmt: skip


def tuned_prompt() -> Any:
    return get_peft_model(llama(), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))


@functools.cache
def policy(build: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    return SimpleNamespace(model=build().double().eval(), pad_id=0, eos_id=2, fingerprint=f"f_{build.__name__}")


def logps_of(model: Any, prefix: list[int]) -> Logps:
    """The model's own log-probabilities after a text, by one forward without any cache."""

    @functools.cache
    def after(text: Text) -> list[float]:
        with torch.no_grad():
            if model.config.is_encoder_decoder:
                logits = model(input_ids=torch.tensor([prefix]), decoder_input_ids=torch.tensor([[2, *text]])).logits
            else:
                logits = model(input_ids=torch.tensor([[*prefix, *text]]), use_cache=False).logits
        return torch.log_softmax(logits[0, -1].double(), -1).tolist()  # type: ignore[no-any-return]

    return after


HOW = Decoding("diverse-beam", num_beams=6, num_groups=3, diversity_penalty=0.7, length_penalty=1.3, max_new_tokens=6)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("build", [llama, bart, bloom, mamba, tuned_prompt])
def test_a_model_searched_by_the_engine_equals_the_definition(build: Callable[[], Any]) -> None:
    """With documents computed once, and where they cannot be."""
    made = policy(build)
    assert engine_for(made).name == ("shared" if build in (llama, bart) else "plain")
    found = generate(made, PREFIXES[:2], k=6, decoding=HOW)
    for prefix, own in zip(PREFIXES, found):
        expected = by_definition(logps_of(made.model, prefix), HOW, frozenset({2}), 6)
        # Mamba rounds some of its state to float32, and Bloom its attention weights, in a model of float64 too.
        assert_equal(own, in_order(expected), frozenset({2}), 1e-5 if build in (mamba, bloom) else 1e-9)
        # Fewer candidates: of every group its best first.
        assert [one.token_ids for one in own[:3]] == [group[0][0] for group in expected]


@pytest.mark.parametrize("build", [llama, bart])
def test_one_group_is_plain_beam_search_to_the_last_bit(build: Callable[[], Any]) -> None:
    common: dict[str, Any] = {"num_beams": 4, "max_new_tokens": 8, "min_new_tokens": 2, "no_repeat_ngram_size": 2}
    one_group, plain = Decoding("diverse-beam", num_groups=1, **common), Decoding("beam", **common)
    made = policy(build)
    assert generate(made, PREFIXES, k=4, decoding=one_group) == generate(made, PREFIXES, k=4, decoding=plain)


@pytest.mark.parametrize("build", [llama, bart])
def test_rows_with_their_own_copy_write_the_same(build: Callable[[], Any]) -> None:
    """The fallback's rows, with a cache and without one."""
    made = policy(build)
    shared = generate(made, PREFIXES[:1], k=6, decoding=HOW)[0]
    plain = generate(made, PREFIXES[:1], k=6, decoding=HOW, implementation="plain")[0]
    rows = Unshared(made.model, PREFIXES[0], 6, 2 if build is bart else None)
    rows.caches = rows.caches and build is bart
    with torch.no_grad():
        bare = beam_search(rows, HOW, frozenset({2}), [6])[0]
    assert (rows.cache is not None) == (build is bart)
    for others in (plain, bare):
        assert [one.token_ids for one in others] == [one.token_ids for one in shared]
        assert [one.logp for one in others] == pytest.approx([one.logp for one in shared], abs=1e-9)


def test_a_large_penalty_makes_every_group_begin_with_another_token() -> None:
    how = Decoding("diverse-beam", num_beams=8, num_groups=8, diversity_penalty=100.0, max_new_tokens=5)
    for own in generate(policy(llama), PREFIXES, k=8, decoding=how, max_rows=8):
        assert len({one.token_ids[0] for one in own}) == 8


def test_more_candidates_than_beams_or_texts_are_refused() -> None:
    with pytest.raises(UserError, match="at most 6"):
        generate(policy(llama), PREFIXES, k=7, decoding=HOW)
    # After one token of 13 - 1 there are no more than 12 texts.
    many = Decoding("diverse-beam", num_beams=28, num_groups=2, max_new_tokens=1, min_new_tokens=1)
    with pytest.raises(UserError, match="fewer texts"):
        generate(policy(llama), PREFIXES, k=28, decoding=many)
    assert len(generate(policy(llama), PREFIXES, k=20, decoding=many)[0]) == 20


class Letters:
    """One id per letter."""

    prompt_hash, tokenizer_hash = "p_1", "k_1"

    def prefix(self, source: Any) -> Any:
        return SimpleNamespace(ids=tuple(3 + ord(letter) % 10 for letter in source.text), cut_characters=0)

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(chr(ord("a") + i) for i in ids if i > 2)


def test_a_run_resumes_at_the_candidates_it_lacks(tmp_path: Path) -> None:
    """Candidate i is the same whether two or six are wanted, and says its slot and its log-probability."""
    documents = [Document(text) for text in ("a dog barked", "short", "the quick brown fox")]
    kept = []
    for name, counts in (("whole", (6,)), ("parts", (2, 6))):
        with Store(tmp_path / name) as store:
            store.add_documents(documents)
            for k in counts:
                done = sample(
                    store, policy(llama), Letters(), documents, k=k, decoding=HOW, max_rows=12, quiet=True
                )  # fmt: skip
            assert done.known + done.written == 18
            kept.append({(c.source_id, c.index): json.dumps(to_json(c), sort_keys=True) for c in store.candidates()})
    assert kept[0] == kept[1]
    assert len(kept[0]) == 18
    found = generate(policy(llama), [Letters().prefix(d).ids for d in documents], k=6, decoding=HOW)
    for document, own in zip(documents, found):
        assert [json.loads(kept[0][document.id, slot])["logp"] for slot in range(6)] == pytest.approx(
            [one.logp for one in own], abs=1e-9
        )


def test_the_command_passes_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SimpleNamespace(policy=policy(llama), renderer=Letters())
    monkeypatch.setattr("precis.recipes.steps.load_writer", lambda name, start: writer)
    path = tmp_path / "feedback.db"
    with Store(path) as store:
        store.add_documents([Document("a dog barked")])

    def run(*options: str) -> int:
        common = ("--policy", "m", "--beams", "4", "--max-new-tokens", "3", "--store", str(path))
        with pytest.raises(SystemExit) as ended:
            main(["sample", "--decoding", "diverse-beam", *common, *options])
        return int(ended.value.code or 0)

    assert run("--k", "4", "--num-groups", "2", "--diversity-penalty", "0.3") == 0
    assert run("--k", "2") == 0
    assert run("--num-groups", "3") == 2
    with Store(path) as store:
        made = [candidate.maker.settings["decoding"] for candidate in store.candidates()]
    groups = [(decoding["num_groups"], decoding["diversity_penalty"]) for decoding in made]
    assert groups == [(2, 0.3)] * 4 + [(4, 1.0)] * 2


# Settings


def test_settings_name_the_groups_and_rename_nothing_older() -> None:
    assert HOW.settings() == {
        "kind": "diverse-beam",
        "max_new_tokens": 6,
        "num_beams": 6,
        "length_penalty": 1.3,
        "num_groups": 3,
        "diversity_penalty": 0.7,
    }
    assert Decoding("beam", num_beams=2, num_groups=7, diversity_penalty=9.0).settings() == {
        "kind": "beam",
        "max_new_tokens": 128,
        "num_beams": 2,
        "length_penalty": 1.0,
    }


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"num_beams": 16, "num_groups": 5}, r"divides num_beams \(16\), found 5"),
        ({"num_beams": 2, "num_groups": 4}, r"divides num_beams \(2\), found 4"),
        ({"num_groups": 0}, "whole number of at least 1, found 0"),
        ({"num_groups": True}, "whole number of at least 1"),
        ({"diversity_penalty": -0.1}, "at least 0, found -0.1"),
        ({"diversity_penalty": math.nan}, "at least 0, found nan"),
        ({"diversity_penalty": math.inf}, "at least 0, found inf"),
    ],
)
def test_senseless_settings_are_refused(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        Decoding("diverse-beam", **wrong)
