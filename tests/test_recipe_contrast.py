"""Contrastive training by the published settings, what is imitated, and that contrast beats imitation on a toy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from precis.endpoint import EndpointConfig, NoReply, Reply, Request
from precis.errors import UserError
from precis.objectives import Objective
from precis.recipes import steps
from precis.recipes.settings import load_settings
from precis.recipes.steps.contrast_settings import contrast_guards, generation_measure, metric_of
from precis.recipes.steps.targets import QUASI_REFERENCE
from precis.recipes.workspace import Workspace, open_workspace
from precis.records import Candidate, Document, Group, Maker
from precis.render.templates import filled
from precis.sampling.decoding import Decoding
from precis.sampling.local import generate
from precis.selection import Selection
from precis.training import TrainConfig
from test_objectives_ranking import ONE_TOKEN, loss, scored, targets
from test_recipes import settings as small_settings

TWO = ((-0.4, -0.2), (-0.1,), (-0.5, -0.1, -0.3))  # sums −0.6, −0.1, −0.9 over 2, 1 and 3 tokens


def objective_of(name: str) -> Objective:
    return steps.contrastive_objective(steps.PUBLISHED[name])  # type: ignore[index]


def ranking_only(name: str) -> Objective:
    return steps.contrastive_objective(steps.PUBLISHED[name].model_copy(update={"mle_weight": 0, "gold_weight": 0}))  # type: ignore[index]


# --- the four published rows --------------------------------------------------------------------------------------


def test_the_published_rows_on_the_golden_scores() -> None:
    """Scores −.20, −.25, −.22, −.30 of one token each, ranked in this order: α means nothing there."""
    made = scored(ONE_TOKEN)
    what = targets(made, [(0, 1, 2, 3)])
    assert loss(ranking_only("sumllm"), made, what) == pytest.approx(100 * 0.0061552453, abs=1e-8)
    assert loss(ranking_only("brio-cnndm"), made, what) == pytest.approx(10 * 0.0103333333, abs=1e-8)
    # SimCLS: 0.01·i. Gap 1: 0 + .04 + 0, over 3; gap 2: .02 − .02 = 0 and 0; gap 3: 0.
    assert loss(ranking_only("simcls"), made, what) == pytest.approx(0.04 / 3, abs=1e-9)


def test_a_scale_of_scores_is_part_of_weight_and_margin() -> None:
    """BRIO on XSum: 10 · max(0, 0.001·i − 0.01·(f_k − f_k+i)), by the definition, pair by pair."""
    made = scored(TWO)
    f = [-0.6 / 2**0.6, -0.1, -0.9 / 3**0.6]
    gaps = {1: [f[0] - f[1], f[1] - f[2]], 2: [f[0] - f[2]]}
    by_hand = sum(sum(max(0.0, 0.001 * i - 0.01 * gap) for gap in own) / len(own) for i, own in gaps.items())
    assert by_hand > 0
    assert loss(ranking_only("brio-xsum"), made, targets(made, [(0, 1, 2)])) == pytest.approx(10 * by_hand)


@pytest.mark.parametrize(
    ("name", "alpha", "weights"),
    [
        ("sumllm", 1.0, {"ranking": 100, "nll": 1}),
        ("brio-cnndm", 2.0, {"ranking": 10, "nll": 0.1}),
        ("brio-xsum", 0.6, {"ranking": 0.1, "nll": 0.1}),  # effective ratio 1
        ("simcls", 1.0, {"ranking": 1, "gold": 1}),
    ],
)
def test_weights_and_length_penalties_of_the_rows(name: str, alpha: float, weights: dict[str, float]) -> None:
    objective = objective_of(name)
    assert {term.name: term.weight for term in objective.terms} == pytest.approx(weights)
    assert all(term.settings.get("length_penalty", alpha) == alpha for term in objective.terms)
    assert all(term.settings.get("label_smoothing", 0.1) == 0.1 for term in objective.terms)


def test_the_length_penalty_is_the_scores() -> None:
    made = scored(TWO)
    f = [-0.6 / 4, -0.1, -0.9 / 9]  # α = 2
    by_hand = (max(0, 0.001 - f[0] + f[1]) + max(0, 0.001 - f[1] + f[2])) / 2 + max(0, 0.002 - f[0] + f[2])
    assert loss(ranking_only("brio-cnndm"), made, targets(made, [(0, 1, 2)])) == pytest.approx(10 * by_hand)
    pairs = ((-0.3, -0.1, 1), (-0.1, -0.3, 1), (-0.3, -0.3, 2))  # α = 1: −.3, −.1, −.3
    sumllm = sum(max(0, 0.01 * math.log(2 * apart) - (better - worse)) for better, worse, apart in pairs) / 3
    assert loss(ranking_only("sumllm"), made, targets(made, [(0, 1, 2)])) == pytest.approx(100 * sumllm)


def test_simcls_keeps_the_reference_above_its_candidates() -> None:
    made = scored([(-0.2,), (-0.3,), (-0.25,)])
    what = targets(made, [(0, 1, None)], [(2,)])
    # The order is right beyond the margin; the reference is 0.05 below the first and above the second.
    assert loss(objective_of("simcls"), made, what) == pytest.approx(0.05 / 2)


def test_the_gold_terms_scores_are_scaled_too() -> None:
    """2 · mean of max(0, 0.03 − 0.5·(f_reference − f)): 0.03 − 0.5·(−0.05) and 0.03 − 0.5·0.05."""
    made = scored([(-0.2,), (-0.3,), (-0.25,)])
    own = steps.LossSettings(rank_weight=0, mle_weight=0, gold_weight=2, gold_margin=0.03, score_scale=0.5)
    what = targets(made, [(0, 1, None)], [(2,)])
    assert loss(steps.contrastive_objective(own), made, what) == pytest.approx(2 * (0.055 + 0.005) / 2)


def test_a_published_loss_with_one_number_changed_is_saved_as_it_is_used() -> None:
    how = load_settings(
        steps.ContrastSettings, "x", overrides=["published=brio-xsum", "loss.mle_weight=0.5", 'select=["rank"]']
    )
    assert how.loss == steps.PUBLISHED["brio-xsum"].model_copy(update={"mle_weight": 0.5})
    assert load_settings(steps.ContrastSettings, "x").loss == steps.PUBLISHED["sumllm"]
    with pytest.raises(UserError, match="published"):
        load_settings(steps.ContrastSettings, "x", overrides=["published=nobody"])
    with pytest.raises(ValueError, match="all weights are 0"):
        steps.LossSettings(rank_weight=0, mle_weight=0)


def test_what_weights_are_chosen_by() -> None:
    both, simcls = objective_of("sumllm"), objective_of("simcls")
    assert [metric_of(by, both) for by in ("mle", "rank", "total", "generation")] == [
        "nll_loss", "ranking_loss", "loss", "generation",
    ]  # fmt: skip
    assert metric_of("rank", ranking_only("sumllm")) == "loss"
    with pytest.raises(UserError, match="no such term, only ranking, gold"):
        metric_of("mle", simcls)


def reasons(seen: list[dict[str, float]], name: steps.Published = "sumllm") -> list[str]:
    """Why the guards of a published loss would stop."""
    guards = contrast_guards(steps.PUBLISHED[name])
    memories: list[Mapping[str, Any]] = [{} for _ in guards]
    found = []
    for metrics in seen:
        looks = [guard.look(memory, metrics) for guard, memory in zip(guards, memories, strict=True)]
        memories = [memory for memory, _ in looks]
        found += [reason for _, reason in looks if reason]
    return found


@pytest.mark.parametrize(
    "collapse",
    [
        [{"score": -0.25}] * 20 + [{"score": -1.14}] * 10,
        [{"validation/nll": 0.7}, {"validation/nll": 1.8}],
        [{"validation/words": 40.0}, {"validation/words": 1.0}],
        [{"validation/words": 40.0}, {"validation/words": 121.0}],
        # Poor to begin with: at ln V = 5.8 nats neither has doubled, and both are worse than chance.
        [{"score": -4.4}] * 20 + [{"score": -6.5}] * 10,
        [{"validation/nll": 4.4}, {"validation/nll": 6.0}],
    ],
    ids=["scores as in BRIO#9", "imitation forgotten", "a single period", "no end", "poor scores", "poor likelihood"],
)
def test_a_collapse_trips_a_guard_and_a_healthy_run_none(collapse: list[dict[str, float]]) -> None:
    assert len(reasons(collapse)) == 1
    healthy = [{"score": -0.25 - 0.01 * step, "validation/nll": 1 + 0.005 * step, "validation/words": 40 - 0.3 * step}
               for step in range(60)]  # fmt: skip
    assert not reasons(healthy)


def test_the_guard_of_scores_is_in_nats_a_token_at_any_length_penalty() -> None:
    """75 tokens of half a nat each that come to 5 nats each are a collapse, also where a score is Σ log p / 75²."""
    for name, alpha in (("sumllm", 1.0), ("brio-cnndm", 2.0), ("brio-xsum", 0.6)):
        worth = 75 ** (1 - alpha)
        assert reasons([{"score": -0.5 * worth}] * 20 + [{"score": -5 * worth}] * 10, name)  # type: ignore[arg-type]
        assert not reasons([{"score": -0.05 * worth}] * 20 + [{"score": -0.3 * worth}] * 10, name)  # type: ignore[arg-type]


# --- what is imitated ---------------------------------------------------------------------------------------------


class Model:
    """A large model that answers by what it was asked; `asked` has every request."""

    name, settings = "large", {"model": "large"}

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def ask(self, requests: Sequence[Request], *, note: str = "") -> list[Reply | NoReply]:
        self.asked += requests
        return [self._answer(request.messages[-1][1]) for request in requests]

    def _answer(self, text: str) -> Reply | NoReply:
        if "Ann: " in text and len(self.asked) % 2:
            return NoReply("refused")
        return Reply(f" A summary of {len(text)} characters. ", "stop", 1, 1)


def test_the_papers_prompt_and_a_document_that_looks_like_one() -> None:
    document = Document("A cat sat.\n\nSummary: {{Summary 1}} {document}")
    assert filled(QUASI_REFERENCE, document) == (
        "Article: A cat sat. Summary: {{Summary 1}} {document}\n\n"
        "Summarize the above article in three sentences.\n\nSummary:"
    )
    assert filled(QUASI_REFERENCE, document, one_line=False).startswith(
        "Article: A cat sat.\n\nSummary: {{Summary 1}} {document}\n\n"
    )


def test_quasi_references_take_the_place_of_references_and_are_asked_for_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the source endpoint needs one"):
        steps.TargetSettings(source="endpoint")
    asking = steps.TargetSettings(source="endpoint", endpoint=EndpointConfig("http://127.0.0.1:9/v1", "large"))
    with open_workspace(tmp_path / "work", small_settings(tmp_path)) as work:
        documents = steps.load_documents(work, small_settings(tmp_path).data, seed=1)
        model = Model()
        made = steps.with_targets(work, documents, asking, engine=model)
        assert model.asked[0].messages[0] == ("system", "You are a helpful assistant.")
        assert model.asked[0].temperature == 0 and len(model.asked) == 12 + 4 + 6
        references = steps.references_of(made)
        written = [own[0] for own in references.values() if own]
        assert all(one.maker.role == "reference" and one.text.startswith("A summary") for one in written)
        # Likeness to these is another judge's word than likeness to the data set's own.
        (maker,) = steps.makers_of(references, asking)
        assert maker == written[0].maker.id and steps.makers_of(references, steps.TargetSettings()) == ()
        rouge = steps.ranking_judge(steps.RankingSettings(judge="rouge"), seed=1, written_by=[maker])
        assert rouge.info.id != steps.ranking_judge(steps.RankingSettings(judge="rouge"), seed=1).info.id
        again = Model()
        assert steps.references_of(steps.with_targets(work, documents, asking, engine=again)) == references
        assert len(again.asked) == sum(not own for own in references.values())
        # The data set's own are still there, but not what is imitated.
        (group,) = work.store.groups(source_ids=[made.train[0].source.id])
        assert len(group.references) == 1 + len(made.train[0].references)


def test_thoughts_and_what_was_cut_off_are_not_imitated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Thinker(Model):
        def ask(self, requests: Sequence[Request], *, note: str = "") -> list[Reply | NoReply]:
            self.asked += requests
            said = [
                Reply("<think>They want one line.</think>\n\nAnn met Ben.", "stop", 9, 9),
                Reply("Ann met", "length", 9, 9),
                Reply("<think>They want", "length", 9, 9),
                Reply("<think>Nothing.</think> ", "stop", 9, 9),
            ]
            return [said[number % 4] for number in range(len(requests))]

    asking = steps.TargetSettings(source="endpoint", endpoint=EndpointConfig("http://127.0.0.1:9/v1", "large"))
    with open_workspace(tmp_path / "work", small_settings(tmp_path)) as work:
        documents = steps.load_documents(work, small_settings(tmp_path).data, seed=1)
        references = steps.references_of(steps.with_targets(work, documents, asking, engine=Thinker()))
    texts = [one.text for own in references.values() for one in own]
    assert texts == ["Ann met Ben."] * 6, "of 22 documents every fourth"
    said = capsys.readouterr().err
    assert "6 quasi-references" in said and "11 × the answer is cut off by max_tokens = 256" in said
    assert "5 × the answer is empty" in said


# --- the whole on planted quality ---------------------------------------------------------------------------------

GOOD, BAD = "the sun is out", "it rains today"
HAND, PERSON = Maker("annotator", "hand"), Maker("reference", "hand")


def planted(count: int, *, first: int = 0) -> list[Group]:
    """Documents of which two in three have a bad reference; of the two candidates the good one is ranked first."""
    groups = []
    for number in range(first, first + count):
        document = Document(f"Ann met Ben on day {number}.")
        reference = GOOD if number % 3 == 0 else BAD
        groups.append(
            Group(
                document,
                tuple(Candidate(document.id, text, HAND, index) for index, text in enumerate((BAD, GOOD))),
                (Candidate(document.id, reference, PERSON),),
                ranks=(1, 0),
            )
        )
    return groups


def share_of_good(writer: steps.Writer, groups: Sequence[Group]) -> float:
    prefixes = [writer.renderer.prefix(group.source).ids for group in groups]
    samples = generate(writer.policy, prefixes, decoding=Decoding("greedy", max_new_tokens=20))
    return sum("sun" in writer.renderer.decode(own[0].token_ids) for own in samples) / len(groups)


@dataclass(frozen=True)
class Toy:
    """A warm policy, what contrast made of it, and what as many updates of imitation did."""

    work: Workspace
    learned: steps.Contrasted
    twin: steps.Writer


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    folder = tmp_path_factory.mktemp("toy")
    with open_workspace(folder / "work", small_settings(folder)) as work:
        yield _trained(work, planted(24))


def _trained(work: Workspace, groups: list[Group]) -> Toy:
    training: dict[str, Any] = {
        "schedule": "constant", "warmup_steps": 10, "groups_per_batch": 4, "precision": "fp32", "trackers": (),
        "epochs": 50, "evaluate_every": 20, "max_steps": 60,
    }  # fmt: skip
    start = steps.starting_writer(
        work,
        steps.StartSettings(model="init", size="tiny", vocab_size=300, template="separator", max_prefix_tokens=90),
        steps.Documents(groups, groups, groups),
        seed=1,
    )
    warm_up = steps.SupervisedSettings(label_smoothing=0.1, training=TrainConfig(learning_rate=3e-3, **training))
    warm = steps.supervise(work, start, groups[4:], groups[:4], warm_up, name="warm")
    how = steps.ContrastSettings(
        loss=steps.LossSettings(rank_weight=10, margin_scale=0.3),
        training=TrainConfig(learning_rate=1e-3, **training),
        select=("rank", "generation"),
        watch=4,
        decoding=Decoding("greedy", max_new_tokens=20),
    )
    ranked, held_out = (
        Selection(tuple(own), {"groups": len(own), "kept": len(own)}) for own in (groups[4:], groups[:4])
    )
    references = {group.source.id: group.references for group in groups}
    learned = steps.contrast(work, warm, ranked, held_out, references, how, seed=1)
    count = learned.result.steps
    return Toy(
        work,
        learned,
        steps.imitate_beside(work, warm, ranked, held_out, references, how, steps=count, seed=1),
    )


def test_contrast_beats_as_many_updates_of_imitation_on_planted_quality(toy: Toy) -> None:
    """Row 27: the references are mostly bad, so imitation writes bad summaries; the ranking knows better."""
    tested = planted(8, first=100)
    assert sorted(path.name for path in toy.work.models.iterdir()) == [
        "contrastive", "contrastive-generation", "imitation", "start", "warm",
    ]  # fmt: skip
    best = toy.learned.result.best
    assert best["accuracy"] >= 0.9
    assert {"generation", "words", "ranking_loss", "nll_loss"} <= set(best)
    assert share_of_good(toy.learned.writers["rank"], tested) >= 0.9
    assert share_of_good(toy.twin, tested) <= 0.5


def test_validation_by_what_is_written(toy: Toy) -> None:
    """Of a text that equals its reference 1 − ROUGE is 0; documents without a reference take no part."""
    groups = planted(3)
    bare = replace(groups[0], references=())
    writer = toy.learned.writers["rank"]
    look = generation_measure(writer, [*groups, bare], Decoding("greedy", max_new_tokens=20))
    seen = look(0)
    assert seen["generation"] == pytest.approx(1 - (seen["rouge1"] + seen["rouge2"] + seen["rougeLsum"]) / 3)
    assert 1 <= seen["words"] <= 20
    with pytest.raises(UserError, match="no validation document has a reference"):
        generation_measure(writer, [bare], Decoding("greedy"))


def test_beams_are_tuned_to_the_length_of_what_is_imitated(toy: Toy) -> None:
    groups = planted(4)
    writer = toy.learned.writers["rank"]
    beams = Decoding("beam", num_beams=3, max_new_tokens=20)
    tuned, match = steps.matched_decoding(toy.work, writer, groups, beams, name="contrastive")
    assert match is not None and tuned.length_penalty == match.penalty
    assert match.target == pytest.approx((4 + 3 + 3 + 4) / 4)
    assert steps.matched_decoding(toy.work, writer, groups, beams, name="contrastive") == (tuned, match)  # as kept
    greedy = Decoding("greedy", max_new_tokens=20)
    assert steps.matched_decoding(toy.work, writer, groups, greedy, name="contrastive") == (greedy, None)
