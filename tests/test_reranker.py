"""The reranker of two encodings (SimCLS): its cosines by transformers' own forward pass, and what it can learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from precis.errors import UserError
from precis.judges.reward import RerankerJudge
from precis.logprobs import sequence_logprobs
from precis.models import load_reranker, save_policy, save_reranker
from precis.objectives import gold_ranking, margin_ranking, nll
from precis.recipes.settings import load_settings
from precis.recipes.steps import RerankerSettings, load_reranker_judge
from precis.records import Candidate, Document, Failure, Group, Maker, Score
from precis.render import Renderer, TokenGroup, load_renderer
from precis.training import TrainConfig
from precis.training.batches import Example, examples_of
from precis.training.train import train
from tiny import tiny_policy

WORDS = [
    "[PAD]", "[CLS]", "[SEP]", "[UNK]", "the", "cat", "dog", "fish", "sat", "ran", "swam", "on", "mat", "bed", "sea",
    "in", "a", "big", "small", "red",
]  # fmt: skip


def make_encoder(folder: Path, *, positions: int = 40) -> Path:
    inner = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = Whitespace()
    inner.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    PreTrainedTokenizerFast(tokenizer_object=inner, **names).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(**sizes, vocab_size=len(WORDS), max_position_embeddings=positions, initializer_range=0.3)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def group(document: str, *summaries: str) -> Group:
    source = Document(document)
    maker = Maker("policy", "test")
    return Group(source, tuple(Candidate(source.id, text, maker, k) for k, text in enumerate(summaries)))


def renderer_of(loaded: Any) -> Renderer:
    return load_renderer(
        None, loaded.tokenizer, max_prefix_tokens=30, encoder_decoder=True, decoder_start_id=loaded.model.start_id
    )


GROUPS = [
    group("the big cat sat on the small red mat", "cat sat on mat", "the dog", "a"),
    group("a fish swam", "fish in the sea"),
]


@pytest.mark.parametrize("pool", ["first token", "mean"])
def test_scores_are_cosines_of_what_the_encoder_says_of_each_text_alone(encoder: Path, pool: Any) -> None:
    loaded = load_reranker(encoder, pool=pool)
    renderer = renderer_of(loaded)
    scored = sequence_logprobs(loaded.model, renderer.groups(GROUPS), pad_id=loaded.pad_id)
    assert scored.rewards_BK is not None and scored.mask_BK.tolist() == [[True] * 3, [True, False, False]]
    tokenizer: Any = AutoTokenizer.from_pretrained(encoder)
    model: Any = AutoModel.from_pretrained(encoder).eval()

    def read(text: str) -> torch.Tensor:
        hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        return hidden[0] if pool == "first token" else hidden.mean(0)

    for b, own in enumerate(GROUPS):
        for k, candidate in enumerate(own.candidates):
            expected = torch.cosine_similarity(read(own.source.text), read(candidate.text), dim=0)
            assert scored.rewards_BK[b, k].item() == pytest.approx(expected.item(), abs=1e-5)
    assert scored.rewards_BK[1, 1:].tolist() == [0, 0]
    assert scored.logps_BKT.isnan().all()
    # Each document once: 11 + 5 tokens and the four candidates' 6 + 4 + 3 + 6.
    assert (scored.tokens_forwarded, scored.tokens_repeated) == (16 + 19, 3 * 11 + 5 + 19)


def test_a_judge_of_cosines_and_an_empty_candidate(encoder: Path) -> None:
    loaded = load_reranker(encoder)
    judge = RerankerJudge(loaded.model, renderer_of(loaded), pad_id=loaded.pad_id, name=loaded.fingerprint)
    assert judge.info.name == "reranker" and judge.info.settings["model"] == loaded.fingerprint
    (said,) = judge.judge([group("the cat sat", "the cat", " ")])
    empty, score = said
    assert isinstance(empty, Failure) and isinstance(score, Score)
    assert -1 <= score.value <= 1 and score.scale == "cosine"


def test_it_learns_an_order_and_is_saved_as_it_is(encoder: Path, tmp_path: Path) -> None:
    """The better summary names what the document is about: which animal that is differs, so no word is good itself."""
    things = [("cat", "mat"), ("dog", "bed"), ("fish", "sea")]

    def ranked(about: int, how: str) -> Group:
        animal, place = things[about]
        other = things[(about + 1) % 3][0]
        made = group(f"the {how} {animal} sat on the {place}", f"the {other} ran", f"the {animal} sat", "a red bed in")
        return Group(made.source, made.candidates, ranks=(1, 0, 2))

    training = [ranked(about, how) for about in range(3) for how in ("big", "small")]
    tested = [ranked(about, how) for about in range(3) for how in ("red", "big red")]
    loaded = load_reranker(encoder, pool="mean")
    renderer = renderer_of(loaded)
    objective = margin_ranking(margin="rank", scale=0.1, of="rewards")
    config = TrainConfig(learning_rate=0.01, epochs=40, groups_per_batch=6, best_metric="accuracy", best_is="highest")
    result = train(
        loaded.model, examples_of(renderer, training), objective, config, tmp_path / "run", pad_id=loaded.pad_id,
        validation=examples_of(renderer, tested), quiet=True,
    )  # fmt: skip
    assert result.best["accuracy"] == 1.0
    folder = save_reranker(loaded.model, loaded.tokenizer, tmp_path / "saved", beside=renderer.save)
    judge = load_reranker_judge(folder)
    assert judge.model.pool == "mean" and judge.renderer.max_prefix_tokens == 30
    with pytest.raises(UserError, match="reads encodings by 'mean', and 'first token' is asked for"):
        load_reranker(folder, pool="first token")
    loaded.model.pool = "first token"
    other = save_reranker(loaded.model, loaded.tokenizer, tmp_path / "other", beside=renderer.save)
    assert load_reranker_judge(other).info.id != judge.info.id, "the same weights, read in another way"
    loaded.model.pool = "mean"
    before = RerankerJudge(loaded.model, renderer, pad_id=loaded.pad_id, name="before")
    own, again = (judge.rewards(renderer.groups(tested)), before.rewards(renderer.groups(tested)))
    assert own == [pytest.approx(values, abs=1e-6) for values in again]
    assert all(values[1] > values[0] > values[2] for values in own)


def test_objectives_of_rewards_by_hand() -> None:
    from test_objectives_ranking import ONE_TOKEN, loss, scored, targets

    made = scored(ONE_TOKEN, [*ONE_TOKEN[:2], (-0.9,)])
    made.rewards_BK = made.logps_BKT[..., 0].detach() * made.mask_BK
    made.logps_BKT = torch.full_like(made.logps_BKT, torch.nan)
    what = targets(made, [(0, 1, 2, 3), None], [(), ()])
    # BRIO's golden value: a score of one token is its log-probability.
    assert loss(margin_ranking(margin="rank", scale=0.001, of="rewards"), made, what) == pytest.approx(0.0103333333)
    beside = targets(made, [(0, 1, None, None), (None, 0, None)], [(2,), (0,)])
    # References −0.22 and −0.20: candidate 0 (−0.20) is 0.02 above the first; −0.25 is below both.
    assert loss(gold_ranking(of="rewards"), made, beside) == pytest.approx(0.02 / 3)
    assert margin_ranking(of="rewards").settings != margin_ranking().settings


def test_what_cannot_be_a_reranker_is_told_in_one_sentence(encoder: Path, tmp_path: Path) -> None:
    writer = save_policy(tiny_policy("bart"), tmp_path / "bart")
    with pytest.raises(UserError, match="is not an encoder"):
        load_reranker(writer)
    with pytest.raises(UserError, match="no folder"):
        load_reranker(tmp_path / "none")
    loaded = load_reranker(encoder)
    save_reranker(loaded.model, loaded.tokenizer, tmp_path / "saved")
    meta = tmp_path / "saved" / "precis_reranker.json"
    meta.write_text(json.dumps({"pool": "last"}))
    with pytest.raises(UserError, match="'last', which is not known"):
        load_reranker(tmp_path / "saved")
    renderer = renderer_of(loaded)
    with pytest.raises(UserError, match="a candidate takes 50 tokens, but the encoder's positions end at 40"):
        sequence_logprobs(loaded.model, [renderer.group(group("a cat", "cat " * 48))], pad_id=0)
    with pytest.raises(UserError, match="one number"):
        sequence_logprobs(loaded.model, renderer.groups(GROUPS), pad_id=0, entropy=True)
    example = Example(TokenGroup("d", (1, 4, 2), ((5, 2),)))
    with pytest.raises(UserError, match="this is a reranker"):
        train(loaded.model, [example], nll(), TrainConfig(max_steps=1), tmp_path / "run", pad_id=0)
    with pytest.raises(UserError, match="nothing can be imitated"):
        load_settings(RerankerSettings, "llm-reference", overrides=["loss.mle_weight=1"])


def test_an_encoder_whose_tokenizer_ends_nothing_is_told(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path / "endless")
    content = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**content, "post_processor": None}))
    with pytest.raises(UserError, match="has no closing token"):
        load_reranker(folder)
