"""The loop: the right gradient however a step is split, the papers' optimizers, guards, files, every kind of model."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from precis.errors import UserError
from precis.logprobs import Scorer
from precis.objectives import Objective, nll, pairwise_logistic, weighted
from precis.render import TokenGroup
from precis.training import Guard, TrainConfig
from precis.training.batches import Example, epoch_batches, steps_of
from precis.training.checkpoint import checkpoints
from precis.training.optimizers import trainable
from precis.training.schedule import rate_factor
from precis.training.step import Scoring, compute_gradients
from precis.training.train import train
from training_toys import EOS, PAD, plain_logps, some_examples, tiny_gpt2, tiny_llama, tiny_reward_model

FAST: dict[str, Any] = {"precision": "fp32", "trackers": (), "tokens_per_batch": 10_000}


def lines(run: Path, split: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if line["split"] == split]


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def furthest(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def gradients(
    model: torch.nn.Module, objective: Objective, batches: Sequence[Sequence[Example]]
) -> dict[str, torch.Tensor]:
    from accelerate import Accelerator

    scorer = Scorer(model)
    parameters = trainable(scorer)
    for parameter in parameters.values():
        parameter.grad = None
    options = {"pad_id": PAD, **{need: True for need in objective.needs if need not in ("logps", "rewards")}}
    off = torch.autocast("cpu", enabled=False)
    how = Scoring(scorer, options, objective, off, Accelerator(mixed_precision="no"), torch.device("cpu"))
    compute_gradients(how, batches, parameters)
    return {name: p.grad.clone() for name, p in parameters.items() if p.grad is not None}


# --- the gradient -----------------------------------------------------------------------------------------------


def test_the_gradient_is_that_of_the_mean_over_the_steps_tokens() -> None:
    model, examples = tiny_gpt2(), some_examples(7, candidates=2)
    found = gradients(model, nll(prompt_weight=0.5), [examples[:2], examples[2:3], examples[3:]])
    model.zero_grad()
    total, units = torch.zeros((), dtype=torch.float64), 0.0
    for example in examples:
        prefix = example.tokens.prefix_ids
        for number, continuation in enumerate(example.tokens.continuations):
            logps = plain_logps(model, prefix, continuation)
            total, units = total - logps[len(prefix) - 1 :].sum(), units + len(continuation)
            if number == 0:
                total, units = total - 0.5 * logps[: len(prefix) - 1].sum(), units + 0.5 * (len(prefix) - 1)
    (total / units).backward()
    expected = {f"model.{name}": p.grad for name, p in model.named_parameters()}
    assert furthest(found, expected) < 1e-12


@pytest.mark.parametrize("kind", ["nll", "pairwise"])
def test_how_a_step_is_split_does_not_change_its_gradient(kind: str) -> None:
    examples = some_examples(9, candidates=3)
    model = tiny_reward_model(tiny_gpt2().transformer) if kind == "pairwise" else tiny_gpt2()
    # Two terms with units that are spread differently over the batches: tokens, and pairs.
    sums = pairwise_logistic(lambda s, t: s.logps_BKT.sum(-1), needs=("logps",), name="sums")
    objective = pairwise_logistic() if kind == "pairwise" else weighted((1.0, nll(label_smoothing=0.1)), (10.0, sums))
    whole = gradients(model, objective, [examples])
    assert max(float(g.abs().max()) for g in whole.values()) > 1e-4
    for cuts in ([1, 2], [4], [1, 2, 3, 4, 5, 6, 7, 8]):
        split = [examples[a:b] for a, b in zip([0, *cuts], [*cuts, 9])]
        assert furthest(gradients(model, objective, split), whole) < 1e-12


def test_a_tied_group_adds_nothing_even_as_a_batch_of_its_own() -> None:
    examples = some_examples(3, candidates=2)
    tied = Example(some_examples(1, seed=9, candidates=2)[0].tokens)
    model = tiny_reward_model(tiny_gpt2().transformer)
    whole = gradients(model, pairwise_logistic(), [examples])
    found = gradients(model, pairwise_logistic(), [examples[:1], [tied], examples[1:]])
    assert furthest(found, whole) < 1e-12
    assert all(bool((g == 0).all()) for g in gradients(model, pairwise_logistic(), [[tied]]).values())


@pytest.mark.parametrize("objective", [nll(label_smoothing=0.1), pairwise_logistic()], ids=["nll", "pairwise"])
def test_training_equals_a_plain_loop(tmp_path: Path, objective: Objective) -> None:
    """Schedule, clipping, accumulation with a partial last step, AdamW: against a loop written out here."""
    config = TrainConfig(
        learning_rate=3e-3,
        schedule="cosine",
        warmup_steps=2,
        grad_clip=0.5,
        weight_decay=0.1,
        eps=1e-4,
        groups_per_batch=2,
        accumulation=2,
        epochs=2,
        **FAST,
    )
    examples = some_examples(9, candidates=2)
    rewards = objective.needs == ("rewards",)
    model, plain = (tiny_reward_model(tiny_gpt2().transformer) if rewards else tiny_gpt2() for _ in range(2))
    result = train(model, examples, objective, config, tmp_path / "run", pad_id=PAD, quiet=True)
    assert (result.steps, result.stopped) == (6, "finished")  # 5 batches an epoch: steps of 2, 2 and 1

    scorer, step = Scorer(plain), 0
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in plain.parameters() if p.ndim == d], "weight_decay": w} for d, w in ((2, 0.1), (1, 0))],
        eps=1e-4,
        fused=False,
    )
    losses = []
    for epoch in range(2):
        lengths = [example.forwarded for example in examples]
        order = epoch_batches(lengths, tokens_per_batch=10_000, groups_per_batch=2, seed=0, epoch=epoch)
        for batches in steps_of(order, 2):
            step += 1
            members = [examples[i] for batch in batches for i in batch]
            tokens = [example.tokens for example in members]
            scored = scorer(tokens, pad_id=PAD, implementation="repeated", mean_logps=not rewards)
            if rewards:
                loss = -torch.nn.functional.logsigmoid(scored.rewards_BK[:, 0] - scored.rewards_BK[:, 1]).mean()
            else:
                smooth = 0.9 * scored.logps_BKT + 0.1 * scored.mean_logps_BKT
                loss = -smooth.sum() / sum(len(c) for group in tokens for c in group.continuations)
            losses.append(float(loss.detach()))
            optimizer.zero_grad()
            loss.backward()
            norm = math.sqrt(sum(float((p.grad**2).sum()) for p in plain.parameters()))
            for parameter in plain.parameters():
                parameter.grad *= min(1.0, 0.5 / norm)
            for group in optimizer.param_groups:
                group["lr"] = 3e-3 * rate_factor(step, 6, config)
            optimizer.step()
    assert furthest(weights(model), weights(plain)) < 1e-9
    assert [line["loss"] for line in lines(tmp_path / "run", "train")] == pytest.approx(losses, abs=1e-9)


# --- what is trained, and how -----------------------------------------------------------------------------------


def test_a_policy_learns_and_the_record_adds_up(tmp_path: Path) -> None:
    examples = [Example(TokenGroup(f"{i}", (8 + i, 9, 3), ((20 + i, 21 + i, EOS),))) for i in range(12)]
    config = TrainConfig(learning_rate=2e-2, epochs=30, groups_per_batch=4, schedule="constant", **FAST)
    result = train(tiny_llama(), examples, nll(), config, tmp_path, pad_id=PAD, validation=examples[:4], quiet=True)
    train_lines = lines(tmp_path, "train")
    assert [line["step"] for line in train_lines] == list(range(1, 91))
    assert train_lines[0]["loss"] == pytest.approx(math.log(40), abs=0.3)
    assert result.best["nll"] < 0.5
    assert train_lines[2]["epoch"] == 1.0
    assert sum(line["nll_units"] for line in train_lines) == 30 * 12 * 3
    assert result.tokens == sum(line["tokens"] for line in train_lines)
    assert {"lr", "grad_norm", "tokens_per_second", "peak_memory"} <= set(train_lines[0])
    assert [line["step"] for line in lines(tmp_path, "validation")] == [0, *range(3, 91, 3)]
    assert json.loads((tmp_path / "result.json").read_text())["kept_step"] == result.kept_step == result.best_step
    assert [step for step, _ in checkpoints(tmp_path / "checkpoints")] == [result.kept_step]


def test_a_reward_model_learns_what_is_preferred(tmp_path: Path) -> None:
    examples = some_examples(24, candidates=3)
    examples += [Example(example.tokens) for example in some_examples(2, seed=5, candidates=3)]
    config = TrainConfig(learning_rate=1e-2, epochs=12, groups_per_batch=8, **FAST)
    result = train(
        tiny_reward_model(),
        examples,
        pairwise_logistic(),
        config,
        tmp_path,
        pad_id=PAD,
        validation=examples,
        quiet=True,
    )
    assert (result.examples, result.left_out) == (24, 2)
    assert lines(tmp_path, "validation")[0]["loss"] == pytest.approx(math.log(2), abs=0.3)
    assert result.best["accuracy"] > 0.9
    assert result.best["margin"] > 1


def test_lora_trains_and_checkpoints_adapters_only(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(tiny_llama(), peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    before = weights(model)
    config = TrainConfig(learning_rate=1e-2, epochs=3, **FAST)
    result = train(model, some_examples(8), nll(), config, tmp_path, pad_id=PAD, quiet=True)
    after = weights(model)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if "lora_" in name}
    assert {name.removeprefix("model.") for name in load_file(result.checkpoint / "weights.safetensors")} == changed
    # The frozen part is not in the checkpoint, so that another base is another training.
    other = peft.get_peft_model(tiny_llama(1), peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    with pytest.raises(UserError, match="model"):
        train(other, some_examples(8), nll(), config, tmp_path, pad_id=PAD, resume=True, quiet=True)


def test_muon_takes_hidden_matrices_and_adamw_the_rest(tmp_path: Path) -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon")
    from precis.training.optimizers import make_optimizers, optimizer_tensors

    model = tiny_llama()
    parameters = trainable(model)
    muon, adamw = make_optimizers(model, parameters, TrainConfig(optimizer="muon"))
    names = {id(parameter): name for name, parameter in parameters.items()}
    in_muon = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    in_adamw = {names[id(p)] for group in adamw.param_groups for p in group["params"]}
    assert in_muon == {name for name in parameters if "proj" in name}
    assert in_adamw == set(parameters) - in_muon
    assert "model.embed_tokens.weight" in in_adamw
    config = TrainConfig(optimizer="muon", learning_rate=1e-2, epochs=3, groups_per_batch=4, **FAST)
    result = train(model, some_examples(8), nll(), config, tmp_path, pad_id=PAD, quiet=True)
    assert lines(tmp_path, "train")[-1]["loss"] < lines(tmp_path, "train")[0]["loss"]
    assert result.steps == 6
    assert optimizer_tensors([muon, adamw], parameters) == {}


def test_muon_on_an_older_torch_is_the_users_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(UserError, match=r"torch 2\.9"):
        train(tiny_llama(), some_examples(4), nll(), TrainConfig(optimizer="muon", **FAST), tmp_path, pad_id=PAD)


def test_the_averaged_weights_are_evaluated_and_kept(tmp_path: Path) -> None:
    config = TrainConfig(
        learning_rate=1e-2, max_steps=3, ema=0.5, evaluate_every=1, checkpoint_every=1, keep_checkpoints=9, **FAST
    )
    model = tiny_llama()
    raw, evaluated = {0: weights(model)}, []

    def load(step: int) -> dict[str, torch.Tensor]:
        path = tmp_path / f"checkpoints/step-{step:08d}/weights.safetensors"
        return {name.removeprefix("model."): tensor for name, tensor in load_file(path).items()}

    def look(step: int) -> dict[str, float]:
        raw.update({step: load(step) for step, _ in checkpoints(tmp_path / "checkpoints")})
        evaluated.append(weights(model))
        return {"looks": float(len(evaluated))}

    train(
        model,
        some_examples(8),
        nll(),
        replace(config, best_metric="looks", best_is="highest"),
        tmp_path,
        pad_id=PAD,
        validation=some_examples(2),
        measure=look,
        quiet=True,
    )
    raw[3] = load(3)
    average = raw[0]
    for step in (1, 2, 3):
        decay = [2 / 11, 3 / 12, 4 / 13][step - 1]
        average = {name: decay * average[name] + (1 - decay) * raw[step][name] for name in average}
        assert furthest(evaluated[step], average) < 1e-6
        assert furthest(raw[step], average) > 1e-4
    assert furthest(weights(model), evaluated[3]) == 0


# --- precision, dropout, progress -------------------------------------------------------------------------------


def test_bf16_computes_in_bfloat16_but_keeps_weights_in_float32(tmp_path: Path) -> None:
    model = tiny_llama().bfloat16()
    config = TrainConfig(learning_rate=1e-5, max_steps=2, **{**FAST, "precision": "bf16"})
    before = weights(model)
    train(model, some_examples(4), nll(), config, tmp_path, pad_id=PAD, quiet=True)
    after = weights(model)
    assert {tensor.dtype for tensor in after.values()} == {torch.float32}
    # 1e-5 is below what bfloat16 resolves next to 1, the value of the norms' weights.
    name = "model.norm.weight"
    assert 0 < float((after[name] - before[name].float()).abs().max()) < 1e-4


@pytest.mark.parametrize("dropout", [True, False])
def test_dropout_is_on_only_where_asked_for(tmp_path: Path, dropout: bool) -> None:
    """Two trainings that differ in their seed alone see the same single step, unless dropout is drawn."""
    losses = []
    for seed in (0, 1):
        config = TrainConfig(max_steps=1, seed=seed, dropout=dropout, **FAST)
        model = tiny_gpt2(dropout=0.5)
        path = tmp_path / str(seed)
        train(model, some_examples(6), nll(), config, path, pad_id=PAD, validation=some_examples(6), quiet=True)
        losses.append(lines(path, "train")[0]["loss"])
        assert lines(path, "validation")[0]["loss"] == lines(tmp_path / "0", "validation")[0]["loss"]
    assert (losses[0] != pytest.approx(losses[1], abs=1e-9)) == dropout


def test_progress_is_plain_lines_in_a_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("precis.progress.PLAIN_FROM_SECONDS", 0.0)
    train(tiny_llama(), some_examples(4), nll(), TrainConfig(max_steps=2, **FAST), tmp_path, pad_id=PAD)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "training: 2/2 steps" in captured.err
    assert "tokens/s" in captured.err


# --- stopping ---------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_a_number_stops_before_the_step(tmp_path: Path) -> None:
    def broken(scored: Any, targets: Any) -> torch.Tensor:
        calls.append(1)
        factor = math.nan if len(calls) == 3 else 1.0
        return factor * scored.logps_BKT.sum(-1)

    calls: list[int] = []
    objective = pairwise_logistic(broken, needs=("logps",), name="broken")
    model, config = tiny_llama(), TrainConfig(max_steps=5, checkpoint_every=1, **FAST)
    result = train(model, some_examples(4, candidates=2), objective, config, tmp_path, pad_id=PAD, quiet=True)
    assert (result.stopped, result.steps, result.kept_step) == ("collapse", 2, 2)
    assert "the loss of step 3 is nan; the step was not applied" in result.reason
    assert all(bool(p.isfinite().all()) for p in model.parameters())
    assert [line["step"] for line in lines(tmp_path, "train")] == [1, 2]
    # A training that has ended says so again, and gives its weights to another copy of the model.
    other, examples = tiny_llama(), some_examples(4, candidates=2)
    again = train(other, examples, objective, config, tmp_path, pad_id=PAD, resume=True, quiet=True)
    assert again == result
    assert furthest(weights(other), weights(model)) == 0


def test_a_tripped_guard_gives_back_the_last_healthy_weights(tmp_path: Path) -> None:
    config = TrainConfig(
        learning_rate=1.0, schedule="constant", grad_clip=0.0, max_steps=60, checkpoint_every=2, **FAST
    )
    guard = Guard("loss", high=4.5, patience=3)
    model = tiny_llama()
    result = train(
        model,
        some_examples(12),
        nll(),
        config,
        tmp_path,
        pad_id=PAD,
        guards=[Guard("absent", low=0.0), guard],
        quiet=True,
    )
    losses = [line["loss"] for line in lines(tmp_path, "train")]
    assert result.stopped == "collapse"
    assert "loss" in result.reason
    assert "3 times in a row" in result.reason
    assert all(loss > 4.5 for loss in losses[-3:])
    assert result.kept_step < result.steps - 1
    assert json.loads((result.checkpoint / "state.json").read_text())["state"]["state"]["step"] == result.kept_step


def test_patience_ends_a_training_that_gets_worse(tmp_path: Path) -> None:
    """Trained on one continuation and validated on another, the validation loss soon rises."""
    examples = [Example(TokenGroup("s", (8, 9, 10), ((11, 12, EOS),)))]
    other = [Example(TokenGroup("s", (8, 9, 10), ((20, 21, 22),)))]
    config = TrainConfig(learning_rate=1e-2, max_steps=50, evaluate_every=1, patience=3, **FAST)
    model = tiny_llama()
    result = train(model, examples, nll(), config, tmp_path, pad_id=PAD, validation=other, quiet=True)
    values = [line["loss"] for line in lines(tmp_path, "validation")]
    assert result.stopped == "patience"
    assert result.best_step == values.index(min(values)) == result.steps - 3
    assert result.kept_step == result.best_step
    assert gradients_free_loss(model, other) == pytest.approx(min(values), abs=1e-6)


def gradients_free_loss(model: Any, examples: list[Example]) -> float:
    with torch.no_grad():
        rows = [(e.tokens.prefix_ids, e.tokens.continuations[0]) for e in examples]
        return -float(torch.cat([plain_logps(model, p, c)[len(p) - 1 :] for p, c in rows]).mean())


def test_a_best_metric_that_is_not_measured_is_named_at_once(tmp_path: Path) -> None:
    config = TrainConfig(best_metric="rouge1", **FAST)
    with pytest.raises(UserError, match=r"'rouge1' is not measured; there are loss, nll"):
        train(
            tiny_llama(), some_examples(4), nll(), config, tmp_path, pad_id=PAD, validation=some_examples(2), quiet=True
        )
    mended, held_out = replace(config, best_metric="nll"), some_examples(2)
    train(tiny_llama(), some_examples(4), nll(), mended, tmp_path, pad_id=PAD, validation=held_out, quiet=True)
    assert [line["step"] for line in lines(tmp_path, "validation")] == [0, 1]


# --- mistakes and misfortunes -----------------------------------------------------------------------------------


def test_what_a_model_cannot_give_is_the_users_to_mend(tmp_path: Path) -> None:
    examples, config = some_examples(2, candidates=2), TrainConfig(**FAST)
    with pytest.raises(UserError, match="no reward head"):
        train(tiny_llama(), examples, pairwise_logistic(), config, tmp_path / "a", pad_id=PAD)
    with pytest.raises(UserError, match="this is a reward model"):
        train(tiny_reward_model(), examples, nll(), config, tmp_path / "b", pad_id=PAD)
    with pytest.raises(UserError, match="frozen"):
        train(tiny_llama().requires_grad_(False), examples, nll(), config, tmp_path / "c", pad_id=PAD)
    with pytest.raises(UserError, match="tracker 'nosuch'"):
        train(tiny_llama(), examples, nll(), replace(config, trackers=("nosuch",)), tmp_path / "d", pad_id=PAD)


def test_another_training_in_the_folder_is_not_continued(tmp_path: Path) -> None:
    examples, config = some_examples(4), TrainConfig(max_steps=2, **FAST)

    def go(examples: list[Example], config: TrainConfig, objective: Objective, resume: bool) -> None:
        train(tiny_llama(), examples, objective, config, tmp_path, pad_id=PAD, resume=resume, quiet=True)

    go(examples, config, nll(), False)
    go(examples, replace(config, checkpoint_every=7), nll(), True)
    with pytest.raises(UserError, match="already holds a training"):
        go(examples, config, nll(), False)
    with pytest.raises(UserError, match="learning_rate"):
        go(examples, replace(config, learning_rate=0.5), nll(), True)
    with pytest.raises(UserError, match="examples"):
        go(some_examples(4, seed=1), config, nll(), True)
    with pytest.raises(UserError, match="objective"):
        go(examples, config, nll(label_smoothing=0.1), True)


def test_a_failing_tracker_costs_its_curves_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import accelerate

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the tracker's server is down")

    monkeypatch.setattr(accelerate.Accelerator, "log", fail)
    config = TrainConfig(max_steps=3, **{**FAST, "trackers": ("tensorboard",)})
    result = train(tiny_llama(), some_examples(4), nll(), config, tmp_path, pad_id=PAD, quiet=True)
    assert result.steps == 3
    assert [record.getMessage() for record in caplog.records if "tracker" in record.getMessage()] == [
        "a metrics tracker failed and is left out from here on: the tracker's server is down"
    ]


def test_tensorboard_has_the_curves(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = TrainConfig(max_steps=3, **{**FAST, "trackers": ("tensorboard",)})
    train(tiny_llama(), some_examples(4), nll(), config, tmp_path, pad_id=PAD, validation=some_examples(2), quiet=True)
    events = EventAccumulator(str(tmp_path / "tensorboard" / "precis"))
    events.Reload()
    assert {"train/loss", "train/lr", "validation/loss"} <= set(events.Tags()["scalars"])
    written = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert written == [(line["step"], pytest.approx(line["loss"])) for line in lines(tmp_path, "train")]


def test_an_encoder_decoder_learns_too(tmp_path: Path) -> None:
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(0)
    layers = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes = {"d_model": 16, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "vocab_size": 40}
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
    model = BartForConditionalGeneration(BartConfig(max_position_embeddings=64, **sizes, **layers, **special))
    config, examples = TrainConfig(learning_rate=1e-2, epochs=4, **FAST), some_examples(8)
    train(model, examples, nll(label_smoothing=0.1), config, tmp_path / "a", pad_id=PAD, quiet=True)
    losses = [line["loss"] for line in lines(tmp_path / "a", "train")]
    assert losses[-1] < losses[0] - 0.1
    with pytest.raises(UserError, match="prefix log-probs"):
        train(model, examples, nll(prompt_weight=1.0), config, tmp_path / "b", pad_id=PAD, quiet=True)


def test_afterwards_the_model_is_in_the_mode_it_came_in(tmp_path: Path) -> None:
    for mode in (True, False):
        model = tiny_llama().train(mode)
        train(model, some_examples(2), nll(), TrainConfig(**FAST), tmp_path / str(mode), pad_id=PAD, quiet=True)
        assert all(module.training == mode for module in model.modules())
        assert all(parameter.grad is None for parameter in model.parameters())


def test_a_full_disk_stops_with_a_sentence_and_spares_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from precis.training import checkpoint

    def full(content: object, path: Path) -> None:
        if "step-00000004" in str(path) and "optimizer" in str(path):
            path.write_bytes(b"half of")
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(content, path)

    monkeypatch.setattr(checkpoint, "save_file", full)
    config, examples = TrainConfig(max_steps=6, checkpoint_every=2, **FAST), some_examples(4)
    with pytest.raises(UserError, match=r"checkpoint of step 4 could not be written.*No space left"):
        train(tiny_llama(), examples, nll(), config, tmp_path, pad_id=PAD, quiet=True)
    assert [step for step, _ in checkpoints(tmp_path / "checkpoints")] == [0, 2]
    monkeypatch.undo()
    result = train(tiny_llama(), examples, nll(), config, tmp_path, pad_id=PAD, resume=True, quiet=True)
    assert result.steps == 6
    assert [line["step"] for line in lines(tmp_path, "train")] == [1, 2, 3, 4, 5, 6]
