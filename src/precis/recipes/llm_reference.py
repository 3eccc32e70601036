"""Learning from a large model's references and rankings (Liu et al. 2023, arXiv 2305.14239; BRIO, Liu et al. 2022).

The paper's steps, and where each stands below:

1. Documents, and what is imitated: quasi-references that a large model writes, or the data set's references.
2. A warm-up: label-smoothed imitation of these.
3. K candidates a document from the warm policy, by diverse beam search; each text once.
4. Their order: by a large model (GPTRank, GPTScore), by ROUGE (BRIO), or by the sandbox's list-wise annotator; several
   passes in permuted orders are joined by Borda counts.
5. Contrastive training from the warm policy, and its twin: as many updates of imitation alone from the same start.
6. Optionally a reranker, an encoder of its own that learns the same order (SimCLS, Liu & Liu 2021).
7. Generation with beams whose length penalty is tuned until summaries are as long as what is imitated; and from the
   same weights a choice among the warm policy's candidates (BRIO-Mul and BRIO-Ctr).
8. Evaluation, with a judge that gave no training signal where there is one, and how well each policy's own score
   orders candidates of documents that it has not seen.

Departures: permuted passes (the paper asks once, in one order); the twin; further choices of weights in one training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import Field, model_validator

from ..evaluation.baselines import rule_candidates
from ..evaluation.systems import REFERENCE, evaluate_systems, write_evaluation
from ..judges.bertscore import BertScoreJudge
from ..judges.ownscore import OwnScoreJudge
from ..judges.protocol import Judge
from ..models import model_folder
from ..records import Document, Group
from ..report.write import write_report
from ..sampling.decoding import Decoding
from ..selection import best_of, random_of
from ..training import TrainConfig
from . import steps
from .contrast_seeds import Contrast
from .contrastive_report import contrastive_report
from .contrastive_summary import contrastive_summary
from .own_order import own_score_orders
from .settings import Settings
from .summary import write_summary
from .workspace import Workspace, announce, open_workspace

WARM, IMITATION, CONTRASTIVE = "warm", "imitation only", "contrastive"


class EvaluationSettings(Settings):
    """What the result is measured on."""

    n: int = Field(default=8, ge=2)
    """Candidates of each test document by the warm policy, to choose among."""
    choice: Decoding | None = None
    """How these are written; None writes them as those that were ranked."""
    decoding: Decoding = Decoding("beam", num_beams=4, max_new_tokens=142, no_repeat_ngram_size=3)
    """How the policies write (4 beams for imitation in the README of Liu et al. 2023)."""
    contrast_beams: int | None = Field(default=None, ge=1)
    """Beams of the contrastive policies, where they are not those of `decoding` (64 or 128 in that README): order among
    likely summaries, which contrast trains, is what a wide search needs. None takes as many as for the others."""
    match_length: bool = True
    """Tune the length penalty of beams on validation documents until summaries are as long as what is imitated."""
    match_on: int = Field(default=50, ge=1)
    """Validation documents to tune it on."""
    judge_by_training: bool = True
    """Have the judge that ranked for training rank the test summaries too; a large model is paid for that."""
    graders: tuple[steps.GraderSettings, ...] = ()
    """Large models that grade and train nothing, as `[{judge = "gptrank", endpoint = {…}}]`: each is asked as one of
    `ranking` is, by GPTRank about all summaries of a test document at once, or by GPTScore."""
    examples: int = Field(default=8, ge=0)
    """Documents that the report shows side by side."""
    encoder: str | None = None
    """Folder of an encoder for BERTScore, which then also judges: it trains nothing. None leaves it out."""

    @model_validator(mode="after")
    def _searches(self) -> EvaluationSettings:
        if self.contrast_beams is not None and self.decoding.kind != "beam":
            raise ValueError("contrast_beams needs a decoding by beams")
        return self

    def decoding_of(self, system: str) -> Decoding:
        """How the policy of this name writes, before its length is matched."""
        wide = self.contrast_beams if system.startswith(CONTRASTIVE) else None
        return replace(self.decoding, num_beams=wide) if wide else self.decoding


class WarmUpSettings(steps.SupervisedSettings):
    """Label-smoothed imitation, with the numbers of `chatgpt_warmup` in the code of Liu et al. 2023."""

    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of the target probability spread over the vocabulary."""
    training: TrainConfig = TrainConfig(
        learning_rate=5e-4, schedule="inverse-sqrt", warmup_steps=1000, grad_clip=0.0, epochs=10, groups_per_batch=8,
        accumulation=4, dropout=True,
    )  # fmt: skip
    """32 documents a step, a peak of 1.6e-5."""


class LLMReference(Settings):
    """Settings of the recipe `llm-reference`."""

    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    """Seed of data, initial weights, orders and samples."""
    data: steps.DataSettings = steps.DataSettings()
    """Documents and their reference summaries."""
    targets: steps.TargetSettings = steps.TargetSettings()
    """What is imitated."""
    start: steps.StartSettings = steps.StartSettings()
    """The pretrained model (bart-large-cnn in the paper)."""
    warm_up: WarmUpSettings = WarmUpSettings()
    """The warm-up."""
    candidates: steps.RankedCandidateSettings = steps.RankedCandidateSettings()
    """Candidates to rank."""
    ranking: steps.RankingSettings = steps.RankingSettings()
    """Who ranks them."""
    contrast: steps.ContrastSettings = steps.ContrastSettings()
    """Contrastive training."""
    reranker: steps.RerankerSettings = steps.RerankerSettings()
    """A reranker, where `reranker.encoder` names what it starts from."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """The evaluation."""

    @model_validator(mode="after")
    def _goes_together(self) -> LLMReference:
        steps.check_beams("evaluation.n", self.evaluation.n, self.choice)
        if self.ranking.judge in ("ranker", "oracle") and self.data.kind != "sandbox":
            raise ValueError(f"ranking.judge is {self.ranking.judge!r}, which knows the sandbox's documents only")
        steps.check_graders(self.evaluation.graders, self.ranking)
        return self

    @property
    def alone(self) -> bool:
        """Whether nobody grades but who trained or chose weights: ROUGE did, and no other model was named to grade."""
        oracle = self.data.kind == "sandbox" and self.ranking.judge != "oracle"
        rouge = self.ranking.judge != "rouge" and "generation" not in self.contrast.select
        asked = steps.asked_of(self.ranking)
        others = [own for own in self.evaluation.graders if steps.asked_of(own) != asked]
        return not (oracle or rouge or others or self.evaluation.encoder is not None)

    @property
    def choice(self) -> Decoding:
        """How the candidates of test documents are written, among which policies choose."""
        return self.evaluation.choice or self.candidates.decoding


def run(settings: LLMReference, out: Path, *, store: str | None = None, command: str = "") -> Path:
    """Run the recipe in the workspace `out`, resuming what is there; returns the path of `report.html`."""
    with open_workspace(out, settings, store) as work:
        return _run(work, settings, command)


def _run(work: Workspace, settings: LLMReference, command: str) -> Path:
    seed = settings.seed
    graders = settings.evaluation.graders
    large = [own.model for own in (settings.ranking, *graders)]
    for model in filter(None, (settings.evaluation.encoder, settings.reranker.encoder, *large)):
        model_folder(model)  # a name that is wrong is told before anything is paid for
    if settings.alone:
        announce("note: only judges that train or choose weights will grade; name evaluation.encoder or a grader")
    with work.step("documents", f"{settings.data.kind} documents"):
        documents = steps.load_documents(work, settings.data, seed=seed)
    with work.step("targets", f"what is imitated, from {settings.targets.source}"):
        documents = steps.with_targets(work, documents, settings.targets)
        references = steps.references_of(documents)
        written_by = steps.makers_of(references, settings.targets)

    with work.step("warm-up", "label-smoothed imitation"):
        start = steps.starting_writer(work, settings.start, documents, seed=seed)
        imitated, judged = steps.shared_out(documents, settings.candidates)
        warm = steps.supervise(
            work, start, imitated, documents.valid, settings.warm_up, fine_tuned=settings.start.fine_tuned, name="warm"
        )

    with work.step("candidates", f"{settings.candidates.k} candidates a document by the warm policy"):
        validated = documents.valid[: settings.candidates.valid_documents]
        pool, held_out = (
            steps.candidates_to_rank(work, warm, own, settings.candidates, references, seed=seed)
            for own in (judged, validated)
        )
    with work.step("ranking", f"ordered by {settings.ranking.judge}"):
        ranker = steps.ranking_judge(settings.ranking, seed=seed, written_by=written_by)
        ranked, held_out_ranked = (steps.rank(work, ranker, own, references) for own in (pool, held_out))

    seeds = settings.contrast.seeds or (seed,)
    with work.step("contrast", f"contrastive training ({settings.contrast.published})"):
        learned = {
            own_seed: steps.contrast(
                work, warm, ranked, held_out_ranked, references, settings.contrast, seed=own_seed,
                name=_name_of("contrastive", own_seed, seeds, "-seed-"),
            )
            for own_seed in seeds
        }  # fmt: skip
    with work.step("imitation", "the twin: as many updates of imitation alone"):
        twins = {
            own_seed: steps.imitate_beside(
                work, warm, ranked, held_out_ranked, references, settings.contrast, seed=own_seed,
                steps=learned[own_seed].result.steps, name=_name_of(steps.TWIN, own_seed, seeds, "-seed-"),
            )
            for own_seed in seeds
        }  # fmt: skip

    rerankers: dict[int, Judge] = {}
    if settings.reranker.encoder:
        chosen_by = settings.reranker.seeds or (seed,)
        with work.step("reranker", "an encoder of its own learns the same order (SimCLS)"):
            rerankers = {
                own_seed: steps.train_reranker(
                    work, ranked, held_out_ranked, references, settings.reranker, seed=own_seed,
                    name=_name_of(steps.RERANKER, own_seed, chosen_by, "-seed-"),
                )
                for own_seed in chosen_by
            }  # fmt: skip

    policies = {WARM: warm}
    contrasts = {own_seed: _name_of(CONTRASTIVE, own_seed, seeds) for own_seed in seeds}
    imitations = {own_seed: _name_of(IMITATION, own_seed, seeds) for own_seed in seeds}
    for own_seed in seeds:
        policies[imitations[own_seed]] = twins[own_seed]
        (_, chosen), *others = learned[own_seed].writers.items()
        policies[contrasts[own_seed]] = chosen
        policies |= {_name_of(f"{CONTRASTIVE} by {by}", own_seed, seeds): writer for by, writer in others}
    with work.step("length", "summaries as long as what is imitated"):
        tuned = documents.valid[: settings.evaluation.match_on] if settings.evaluation.match_length else []
        decodings = {
            name: steps.matched_decoding(work, writer, tuned, settings.evaluation.decoding_of(name), name=name)
            for name, writer in policies.items()
        }
    with work.step("test", "summaries of the test documents"):
        written = {
            name: steps.refer(
                steps.write_candidates(work, writer, documents.test, decodings[name][0], k=1, seed=seed), references
            )
            for name, writer in policies.items()
        }
        n = settings.evaluation.n
        choice = settings.candidates.model_copy(update={"k": n, "keep": None, "decoding": settings.choice})
        choices = steps.candidates_to_rank(work, warm, documents.test, choice, references, seed=seed)
        sources = [group.source for group in documents.test if isinstance(group.source, Document)]
        lead = steps.keep_candidates(work, documents.test, rule_candidates(sources, "lead"))

    with work.step("evaluation", "every system, by every judge"):
        alpha = settings.contrast.loss.length_penalty
        own: dict[str, Judge] = {
            name: OwnScoreJudge(policies[name].policy, policies[name].renderer, length_penalty=alpha, name=name)
            for name in (*contrasts.values(), IMITATION, WARM)
        }
        reranking = {own_seed: _name_of(steps.RERANKER, own_seed, tuple(rerankers)) for own_seed in rerankers}
        own |= {name: rerankers[own_seed] for own_seed, name in reranking.items()}
        for scorer in own.values():
            steps.judge(work, scorer, choices)
        judges, trained = steps.grading_judges(
            graders, settings.ranking, ranker, seed=seed, sandbox=settings.data.kind == "sandbox",
            encoder=settings.evaluation.encoder, by_training=settings.evaluation.judge_by_training,
            written_by=written_by,
        )  # fmt: skip
        everything = steps.together(choices, *written.values(), lead)
        for judge in judges:
            everything = steps.judge(work, judge, everything)
        # A ranking of all summaries of a document orders those of its choices too.
        said = {group.source.id: group.judgements for group in everything}
        choices = [replace(group, judgements=said[group.source.id]) for group in choices]
        gold, random = judges[0].info, f"random of {n}"
        by = {name: f"best of {n} by {name}" for name in (*own, gold.name)}
        choosing = [name for name in own if name != IMITATION]
        systems: dict[str, Sequence[Group]] = {
            "Lead-3": lead,
            **written,
            random: random_of(choices, seed=seed).groups,
            **{by[name]: best_of(choices, own[name].info).groups for name in choosing},
            by[gold.name]: best_of(choices, gold).groups,
        }
        evaluation = evaluate_systems(
            sources,
            references,
            {name: [c for group in groups for c in group.candidates] for name, groups in systems.items()},
            judgements=steps.by_each(judges, everything),
            against=(*imitations.values(), WARM, REFERENCE, random),
            baselines=(*imitations.values(), WARM),
            compared=_with_its_own_twin(imitations, [by[name] for name in reranking.values()]),
            training_judges=[*trained, *(["rouge"] if "generation" in settings.contrast.select else [])],
            judged={judge.info.name: judge.info for judge in judges if isinstance(judge, BertScoreJudge)},
            seed=seed,
        )
        write_evaluation(evaluation, work.folder)

    about = Contrast(
        gold=gold,
        ranker=ranker.info,
        own={name: judge.info for name, judge in own.items()},
        contrastive=CONTRASTIVE,
        imitation=IMITATION,
        warm=WARM,
        seeds=contrasts,
        twins=imitations,
        choosing={own_seed: by[name] for own_seed, name in contrasts.items()},
        rerankers={own_seed: by[name] for own_seed, name in reranking.items()},
        random=random,
        reranked=by[CONTRASTIVE],
        ceiling=by[gold.name],
        decodings=decodings,
    )
    orders = own_score_orders(choices, about.judges, about.own, name=CONTRASTIVE)
    row = contrastive_summary(work, evaluation, about, tested=sources, ranked=ranked, orders=orders, seed=seed)
    write_summary(row, work.folder)
    report = contrastive_report(
        work,
        settings,
        command,
        evaluation,
        about,
        documents=documents,
        ranked=ranked,
        result=learned[seeds[0]].result,
        choices=choices,
        orders=orders,
        examples=settings.evaluation.examples,
        drawn=settings.choice.is_random,
    )
    html, _ = write_report(report, work.folder)
    return html


def _name_of(name: str, seed: int, seeds: Sequence[int], mark: str = ", seed ") -> str:
    """What a training of one of `seeds` is called: the first has no number."""
    return name if seed == seeds[0] else f"{name}{mark}{seed}"


def _with_its_own_twin(imitations: Mapping[int, str], reranked: Sequence[str]) -> Callable[[str, str], bool]:
    """What came of one seed's contrast is compared with that seed's imitation, all else with the first seed's."""
    first, *others = imitations

    def compared(system: str, other: str) -> bool:
        own = next((seed for seed in others if system.endswith(_name_of("", seed, (first,)))), first)
        return other not in imitations.values() or other == imitations[first if system in reranked else own]

    return compared
