"""One text, one summary: greedily, or the best of N by a reward model (Stiennon et al. 2020, §4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..records import Candidate, Document, Failure, Group, Maker, Score
from ..sampling.decoding import Decoding
from ..sampling.local import generate
from .steps import StartSettings, load_reward_judge, load_writer


@dataclass(frozen=True)
class Summary:
    """`reward` is None for a greedy summary; `notes` say what the reader must know (cuts, empty candidates)."""

    text: str
    reward: float | None
    notes: tuple[str, ...] = ()


def summarize(
    text: str,
    model: str,
    *,
    best_of: int = 1,
    reward_model: Path | None = None,
    temperature: float = 0.7,
    max_new_tokens: int = 64,
    template: str | None = None,
    trust_remote_code: bool = False,
    seed: int = 0,
) -> Summary:
    """The summary of `text`. Raises `UserError` if the model writes nothing, or the reward model scores nothing."""
    document = Document(text.strip())
    writer = load_writer(model, StartSettings(template=template, trust_remote_code=trust_remote_code))
    prefix = writer.renderer.prefix(document)
    decoding = Decoding(
        "greedy" if best_of == 1 else "temperature", temperature=temperature, max_new_tokens=max_new_tokens
    )
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
    chosen, reward = candidates[0], None
    if reward_model is not None:
        (said,) = load_reward_judge(reward_model).judge([Group(document, candidates)])
        values = {judgement.candidate: judgement.value for judgement in said if isinstance(judgement, Score)}
        if not values:
            why = next(judgement.why for judgement in said if isinstance(judgement, Failure))
            raise UserError(f"the reward model in {reward_model} gave no candidate a score: {why}")
        if unscored := best_of - empty - len(values):
            notes.append(f"{unscored} of {best_of} candidates have no reward and were passed over")
        chosen = max((c for c in candidates if c.id in values), key=lambda candidate: values[candidate.id])
        reward = values[chosen.id]
    if not chosen.finished:
        notes.append("the summary was cut by --max-new-tokens")
    return Summary(chosen.text, reward, tuple(notes))
