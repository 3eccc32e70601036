"""One text, one summary: as a policy writes it, or the best of N by a judge (Stiennon et al. 2020, §4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UserError
from ..judges.protocol import Judge
from ..records import Candidate, Document, Failure, Group, Maker, Score
from ..sampling.decoding import Decoding
from ..sampling.local import generate
from .steps import StartSettings, load_writer


@dataclass(frozen=True)
class Summary:
    """`score` is None where nothing was chosen; `notes` say what the reader must know (cuts, empty candidates)."""

    text: str
    score: float | None
    notes: tuple[str, ...] = ()


def summarize(
    text: str,
    model: str,
    *,
    decoding: Decoding,
    best_of: int = 1,
    judge: Judge | None = None,
    template: str | None = None,
    trust_remote_code: bool = False,
    seed: int = 0,
) -> Summary:
    """The summary of `text`; with a judge, the one of `best_of` that it scores highest.

    Raises `UserError` if the model writes nothing, or the judge scores nothing.
    """
    document = Document(text.strip())
    writer = load_writer(model, StartSettings(template=template, trust_remote_code=trust_remote_code))
    prefix = writer.renderer.prefix(document)
    written = generate(writer.policy, [prefix.ids], decoding=decoding, k=best_of, seed=seed, keys=[document.id])[0]
    candidates = tuple(
        Candidate(
            document.id,
            writer.renderer.decode(sample.token_ids),
            Maker("policy", writer.policy.fingerprint),
            index,
            token_ids=sample.token_ids,
            tokenizer=writer.renderer.tokenizer_hash,
            finished=sample.finished,
        )
        for index, sample in enumerate(written)
    )
    notes = [f"{prefix.cut_characters:,} characters of the document were cut to fit"] if prefix.cut_characters else []
    if empty := sum(candidate.is_empty for candidate in candidates):
        notes.append(f"{empty} of {best_of} candidates are empty")
    if empty == best_of:
        raise UserError("the model wrote nothing; it may not be a summarizer, or need another --template")
    chosen, score = candidates[0], None
    if judge is not None:
        (said,) = judge.judge([Group(document, candidates)])
        values = {judgement.candidate: judgement.value for judgement in said if isinstance(judgement, Score)}
        if not values:
            why = next(judgement.why for judgement in said if isinstance(judgement, Failure))
            raise UserError(f"{judge.info.name} gave no candidate a score: {why}")
        if unscored := best_of - empty - len(values):
            notes.append(f"{unscored} of {best_of} candidates have no score and were passed over")
        chosen = max((c for c in candidates if c.id in values), key=lambda candidate: values[candidate.id])
        score = values[chosen.id]
    if not chosen.finished:
        notes.append("the summary was cut by --max-new-tokens")
    return Summary(chosen.text, score, tuple(notes))
