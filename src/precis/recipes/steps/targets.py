"""What is imitated: the references of the data set, or quasi-references that a large model writes (Liu et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ...endpoint import EndpointConfig, EndpointEngine, NoReply, Reply, Request
from ...endpoint.messages import spoken
from ...errors import UserError
from ...records import Candidate, Document, Group, Maker
from ...render.templates import FIELD, Template, filled
from ...sampling.decoding import Decoding
from ..settings import Settings
from ..spending import paid
from ..workspace import Workspace, announce
from .candidates import write_candidates
from .documents import Documents
from .policies import StartSettings, load_writer

if TYPE_CHECKING:
    from ...endpoint import Engine

# The template of the paper's code (`cnndm_length.txt`), up to where the summary begins.
QUASI_REFERENCE = "Article: {document}\n\nSummarize the above article in three sentences.\n\nSummary:"
CHUNK = 64
_CUT = "cut off by max_tokens = {}"

References = Mapping[str, Sequence[Candidate]]
"""What is imitated, by the source's id."""


class TargetSettings(Settings):
    """What is imitated, in the warm-up and beside the ranking: quasi-references, or the data set's references."""

    source: Literal["dataset", "endpoint", "model"] = "dataset"
    """`dataset` takes the references that the documents came with; `endpoint` asks a large model behind a URL for one
    summary of each document, as the paper does; `model` has a local model write it."""
    endpoint: EndpointConfig | None = None
    """With `endpoint`: the server and the model's name, as in docs/endpoints.md."""
    model: str = ""
    """With `model`: a folder or hub name."""
    template: str = QUASI_REFERENCE
    """What a large model is asked, with {document}; the paper's template. What looks like a field in a document stays
    as it is."""
    one_line: bool = True
    """With `endpoint`: a document's line ends become spaces, as in the paper's code, so that no document can end its
    field; dialogues are read better with it off."""
    system: str = "You are a helpful assistant."
    """With `endpoint`: the system message; the paper's."""
    chat: bool = True
    """With `endpoint`: ask by chat; else as a text to go on from, as the paper asked text-davinci-003."""
    max_tokens: int = Field(default=256, ge=1)
    """Longest quasi-reference in tokens; it is written greedily."""

    @model_validator(mode="after")
    def _has_a_writer(self) -> TargetSettings:
        if self.source == "endpoint" and self.endpoint is None:
            raise ValueError("the source endpoint needs one: say where the large model is and what it is called")
        if self.source == "model" and not self.model:
            raise ValueError("the source model needs one: name the model that writes the quasi-references")
        if "document" not in FIELD.findall(self.template):
            raise ValueError("a template needs the field {document}")
        return self


def with_targets(
    work: Workspace, documents: Documents, settings: TargetSettings, *, engine: Engine | None = None
) -> Documents:
    """The documents with what is imitated as their references, in every split.

    A document that the large model gave no summary of, or one that `max_tokens` cut off, has no references, and is
    counted. `engine` stands in for the endpoint of the settings. Raises `UserError` if nobody wrote anything.
    """
    if settings.source == "dataset":
        return documents
    groups = [*documents.train, *documents.valid, *documents.test]
    if settings.source == "model":
        found = _written_here(work, groups, settings)
    elif engine is not None:
        found = _asked(work, groups, settings, engine)
    else:
        assert settings.endpoint is not None, "the settings were checked"
        with EndpointEngine(settings.endpoint) as opened, paid(work, opened):
            found = _asked(work, groups, settings, opened)
    if not any(found.values()):
        raise UserError("no document has a quasi-reference: the model wrote nothing")
    return Documents(*(refer(own, found) for own in (documents.train, documents.valid, documents.test)))


def refer(groups: Sequence[Group], references: References) -> list[Group]:
    """The groups with these references and no others, whoever else wrote some."""
    return [replace(group, references=tuple(references.get(group.source.id, ()))) for group in groups]


def references_of(documents: Documents) -> dict[str, Sequence[Candidate]]:
    """The references of every document, by its id."""
    groups = (*documents.train, *documents.valid, *documents.test)
    return {group.source.id: group.references for group in groups}


def makers_of(references: References, settings: TargetSettings) -> tuple[str, ...]:
    """The ids of those who wrote the references, where these are not the data set's: part of a judge by likeness to
    them, whose scores against other references are others."""
    if settings.source == "dataset":
        return ()
    return tuple(sorted({candidate.maker.id for own in references.values() for candidate in own}))


def _written_here(work: Workspace, groups: Sequence[Group], settings: TargetSettings) -> References:
    # The paper's words are for models that follow instructions; a summarizer's folder says how it is asked.
    named = None if settings.template == QUASI_REFERENCE else settings.template
    writer = load_writer(settings.model, StartSettings(template=named))
    greedily = Decoding("greedy", max_new_tokens=settings.max_tokens)
    written = write_candidates(work, writer, groups, greedily, k=1, seed=0)
    whole = {group.source.id: tuple(c for c in group.candidates if c.finished and not c.is_empty) for group in written}
    if less := sum(not own for own in whole.values()):
        announce(f"  {less:,} of {len(whole):,} quasi-references are empty or {_CUT.format(settings.max_tokens)}")
    return whole


def _asked(work: Workspace, groups: Sequence[Group], settings: TargetSettings, engine: Engine) -> References:
    maker = Maker(
        "reference",
        engine.name,
        {
            "engine": dict(engine.settings),
            "prompt_hash": Template(settings.template, chat=settings.chat, system=settings.system).hash,
            "one_line": settings.one_line,
            "max_tokens": settings.max_tokens,
        },
    )
    ids = [group.source.id for group in groups]
    known = {candidate.source_id for candidate in work.store.candidates(ids, maker_id=maker.id)}
    missing = [group.source for group in groups if group.source.id not in known]
    why: dict[str, int] = {}
    for start in range(0, len(missing), CHUNK):
        sources = missing[start : start + CHUNK]
        replies = engine.ask([_request(source, settings) for source in sources], note="writing quasi-references")
        written = []
        for source, reply in zip(sources, replies, strict=True):
            summary = _summary(reply, settings)
            if isinstance(summary, NoReply):
                why[summary.why] = why.get(summary.why, 0) + 1
            else:
                written.append(Candidate(source.id, summary, maker))
        work.store.add_candidates(written)
    failed = "".join(f"; {count:,} × {reason}" for reason, count in why.items())
    announce(f"  {len(missing) - sum(why.values()):,} quasi-references by {engine.name}, {len(known):,} known{failed}")
    return {candidate.source_id: (candidate,) for candidate in work.store.candidates(ids, maker_id=maker.id)}


def _request(source: Document | Candidate, settings: TargetSettings) -> Request:
    text = filled(settings.template, source, one_line=settings.one_line)
    if not settings.chat:
        return Request(prompt=text, max_tokens=settings.max_tokens)
    system = (("system", settings.system),) if settings.system else ()
    return Request((*system, ("user", text)), max_tokens=settings.max_tokens)


def _summary(reply: Reply | NoReply, settings: TargetSettings) -> str | NoReply:
    """What is imitated of an answer: no thoughts, and nothing that breaks off, of which a policy would learn to."""
    if isinstance(reply, NoReply):
        return reply
    if reply.finish == "length":
        return NoReply(f"the answer is {_CUT.format(settings.max_tokens)}")
    text = spoken(reply.text).replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()
    return text or NoReply("the answer is empty")
