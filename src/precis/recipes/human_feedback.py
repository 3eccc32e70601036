"""Learning from comparisons (Stiennon et al. 2020, arXiv 2009.01325): a reward model, and policies that it improves.

The paper's steps, and where each stands below:

1. Documents with mediocre reference summaries (§3.2).
2. A supervised policy, fine-tuned on the references (§3.4, app. B.1).
3. K candidates a document from it, judged (§3.3): by ROUGE against the references, by the sandbox's simulated
   comparers, or by the sandbox's oracle.
4. A reward model from the supervised policy, on the pairs that this makes (§3.4).
5. Policies trained towards the reward model: PPO (§3.4, app. B.1), RLOO, imitation of the best samples.
6. The best of N candidates by the reward model (§4.3, fig. 7), beside a random one of them and the ceiling.
7. Evaluation (§4, app. F), with a judge that gave no training signal where there is one.

Departures: one round of feedback, not three; candidates come from one policy; RLOO and imitation of the best are not
the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ..evaluation.baselines import rule_candidates
from ..evaluation.systems import REFERENCE, evaluate_systems, write_evaluation
from ..judges.bertscore import BertScoreJudge
from ..judges.copying import CopyingJudge
from ..judges.length import LengthJudge
from ..judges.protocol import Judge
from ..records import Document, Group
from ..report.write import write_report
from ..sampling.decoding import Decoding
from ..selection import best_of, random_of
from . import steps
from .feedback import FeedbackSettings, feedback_judge, gold_judge, preferences
from .feedback_summary import feedback_summary
from .reporting import SUPERVISED, Findings, best_of_n_report
from .settings import Settings
from .summary import write_summary
from .workspace import Workspace, open_workspace

IMPROVEMENTS = {
    "ppo": "PPO with a value network started from the reward model (§3.4, app. B.1)",
    "rloo": "REINFORCE against the mean of a document's other summaries (Ahmadian et al. 2024)",
    "rejection": "fine-tuning on the best candidate of each document",
}


class EvaluationSettings(Settings):
    """What the result is measured on."""

    n: int = Field(default=8, ge=1)
    """N of best-of-N: candidates of each test document."""
    examples: int = Field(default=8, ge=0)
    """Documents that the report shows side by side."""
    encoder: str | None = None
    """Folder of an encoder for BERTScore, which then also judges: it trains nothing. None leaves it out."""


class HumanFeedback(Settings):
    """Settings of the recipe `human-feedback`."""

    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    """Seed of data, initial weights, orders and samples."""
    data: steps.DataSettings = steps.DataSettings()
    """Documents and reference summaries (§3.2)."""
    start: steps.StartSettings = steps.StartSettings()
    """The pretrained model (§3.4)."""
    supervised: steps.SupervisedSettings = steps.SupervisedSettings()
    """Supervised fine-tuning (§3.4)."""
    candidates: steps.CandidateSettings = steps.CandidateSettings()
    """Candidates for the judges (§3.3)."""
    feedback: FeedbackSettings = FeedbackSettings()
    """Who judges them (§3.3)."""
    reward: steps.RewardSettings = steps.RewardSettings()
    """The reward model (§3.4)."""
    improve: tuple[Literal["ppo", "rloo", "rejection"], ...] = ("ppo",)
    """Which policies to train towards the reward model (§3.4)."""
    reinforcement: steps.ReinforcementSettings = steps.ReinforcementSettings()
    """PPO and RLOO (§3.4)."""
    rejection: steps.RejectionSettings = steps.RejectionSettings()
    """Fine-tuning on the best candidate of each document."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """The evaluation (§4)."""

    @model_validator(mode="after")
    def _goes_together(self) -> HumanFeedback:
        steps.check_beams("evaluation.n", self.evaluation.n, self.candidates.decoding)
        if self.feedback.judge in ("comparer", "oracle") and self.data.kind != "sandbox":
            raise ValueError(f"feedback.judge is {self.feedback.judge!r}, which knows the sandbox's documents only")
        return self


def run(settings: HumanFeedback, out: Path, *, store: str | None = None, command: str = "") -> Path:
    """Run the recipe in the workspace `out`, resuming what is there; returns the path of `report.html`."""
    with open_workspace(out, settings, store) as work:
        return _run(work, settings, command)


def _run(work: Workspace, settings: HumanFeedback, command: str) -> Path:
    seed = settings.seed
    steps.check_start(settings.start)
    with work.step("documents", f"{settings.data.kind} documents and their reference summaries (§3.2)"):
        documents = steps.load_documents(work, settings.data, seed=seed)

    with work.step("supervised", "fine-tuning on the reference summaries (§3.4)"):
        start = steps.starting_writer(work, settings.start, documents, seed=seed)
        imitated, judged = steps.shared_out(documents, settings.candidates)
        policy = steps.supervise(
            work, start, imitated, documents.valid, settings.supervised, fine_tuned=settings.start.fine_tuned
        )

    with work.step("candidates", f"{settings.candidates.k} candidates a training document (§3.3)"):
        decoding = settings.candidates.decoding
        groups = steps.write_candidates(work, policy, judged, decoding, k=settings.candidates.k, seed=seed)

    with work.step("feedback", f"judged by {settings.feedback.judge} (§3.3)"):
        labeller = feedback_judge(settings.feedback, seed=seed)
        groups = steps.judge(work, labeller, groups)
        pairs = preferences(groups, settings.feedback, labeller, seed=seed)

    with work.step("reward", f"a reward model on {pairs.counts.get('pairs', 0):,} pairs (§3.4)"):
        reward = steps.train_reward_model(work, policy, pairs, settings.reward, seed=seed)

    gold = gold_judge(settings.feedback)
    improved: dict[str, steps.Writer] = {}
    for method in settings.improve:
        with work.step(method, IMPROVEMENTS[method]):
            if method == "rejection":
                improved |= steps.imitate_the_best(work, policy, reward, groups, documents.valid, settings.rejection)
            else:
                improved |= steps.reinforce(
                    work,
                    policy,
                    reward,
                    documents.train,
                    settings.reinforcement,
                    method=method,
                    gold=gold,
                    watched=documents.valid,
                    seed=seed,
                )

    with work.step("test", f"{settings.evaluation.n} candidates a test document (§4.3)"):
        n = settings.evaluation.n
        greedily = Decoding("greedy", max_new_tokens=decoding.max_new_tokens)
        policies = {SUPERVISED: policy, **{f"{name}, greedy": writer for name, writer in improved.items()}}
        greedy = {
            name: steps.write_candidates(work, writer, documents.test, greedily, k=1, seed=seed)
            for name, writer in policies.items()
        }
        pool = steps.write_candidates(work, policy, documents.test, decoding, k=n, seed=seed)
        moved = {
            f"{name}, greedy": steps.moved_from(work, writer, policy, documents.test, decoding, seed=seed)
            for name, writer in improved.items()
        }
        sources = [group.source for group in documents.test if isinstance(group.source, Document)]
        lead = steps.keep_candidates(work, documents.test, rule_candidates(sources, "lead"))
        longest = steps.keep_candidates(work, documents.test, rule_candidates(sources, "longest"))

    with work.step("evaluation", "every system, by every judge (§4, app. F)"):
        judges: list[Judge] = [gold, reward, LengthJudge(), CopyingJudge()]
        if settings.evaluation.encoder is not None:
            judges.append(BertScoreJudge(Path(settings.evaluation.encoder)))
        everything = steps.together(pool, *greedy.values(), lead, longest)
        for judge in judges:
            everything = steps.judge(work, judge, everything)
        pool = steps.with_judgements(work, pool)
        random, ceiling = f"random of {n}", f"best of {n} by {gold.info.name}"
        by_reward = f"best of {n} by reward"
        systems: dict[str, Sequence[Group]] = {
            "Lead-3": lead,
            "Longest-3": longest,
            **greedy,
            random: random_of(pool, seed=seed).groups,
            by_reward: best_of(pool, reward.info).groups,
            ceiling: best_of(pool, gold.info).groups,
        }
        evaluation = evaluate_systems(
            sources,
            {group.source.id: group.references for group in documents.test},
            {name: [c for group in own for c in group.candidates] for name, own in systems.items()},
            judgements=steps.by_each(judges, everything),
            against=(random, REFERENCE, *((SUPERVISED,) if improved else ())),
            baselines=(random, *((SUPERVISED,) if improved else ())),
            training_judges=[labeller.info.name, reward.info.name],
            judged={judge.info.name: judge.info for judge in judges if isinstance(judge, BertScoreJudge)},
            seed=seed,
        )
        write_evaluation(evaluation, work.folder)

    about = Findings(gold=gold.info, reward=reward.info, random=random, chosen=by_reward, ceiling=ceiling)
    greedy = {name: steps.with_judgements(work, own) for name, own in greedy.items()}
    summary = feedback_summary(work, evaluation, about, greedy=greedy, moved=moved)
    write_summary(summary, work.folder)
    report = best_of_n_report(
        work,
        settings,
        command,
        evaluation,
        about,
        documents=documents,
        pairs=pairs,
        pool=pool,
        greedy=greedy,
        moved=moved,
        examples=settings.evaluation.examples,
    )
    html, _ = write_report(report, work.folder)
    return html
