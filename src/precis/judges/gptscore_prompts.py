"""What GPTScore has a model go on from: a document, an instruction, and the summary to be scored (or the reverse).

The default is the prompt of Liu et al. 2023 word by word; the instructions of the aspects, which Fu et al. 2023
introduced, are ours. Texts are data: fields are filled in one pass, and each text loses its line ends (or, with
`one_line=False`, its blank lines). A template's next field stands on a line (after a blank line) of its own, so no text
can end its field or open another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from ..data.json_rows import json_rows
from ..data.rows import Bad, text_of
from ..errors import BadInput, UserError
from ..records import Candidate, Document, content_hash
from ..render.templates import FIELD, fields_of, fill
from .likelihood import Prompt

DIRECTIONS = ("document-to-summary", "summary-to-document")
_SCORED = {"summary": DIRECTIONS[0], "document": DIRECTIONS[1]}
_FORWARD = "Article: {{document}}\n\n{}\n\nSummary: {{summary}}"
_BACKWARD = "Summary: {{summary}}\n\n{}\n\nArticle: {{document}}"
# Aspect → what asks for a summary that has it, what asks for the document of such a summary. "" is no aspect.
ASPECTS: dict[str, tuple[str, str]] = {
    "": (
        "Summarize the above article in three sentences.",
        "Write the article that the above three sentences summarize.",
    ),
    "coherence": (
        "Summarize the above article so that each sentence follows from the one before and all make one text.",
        "Write the article that the above well-ordered summary is of.",
    ),
    "fluency": (
        "Summarize the above article in grammatical sentences that read smoothly.",
        "Write the article that the above smoothly written summary is of.",
    ),
    "informativeness": (
        "Summarize the above article so that its reader learns all of the main points.",
        "Write the article whose main points are all in the above summary.",
    ),
    "consistency": (
        "Summarize the above article and state nothing but what the article itself says.",
        "Write the article that says everything the above summary states.",
    ),
    "relevance": (
        "Summarize the above article by what matters most in it, and leave the rest out.",
        "Write the article of which the above summary tells what matters most.",
    ),
    "engagement": (
        "Summarize the above article so that its reader wants to read on.",
        "Write the article that the above inviting summary is of.",
    ),
}


@dataclass(frozen=True)
class ScoreTemplate:
    """A prompt that ends in the field that is scored: `{summary}` given the document or `{document}` given the summary.

    The other of the two must be in it, and something on a new line between them; `{title}` and any key of the
    document's `meta` may be. With `one_line` each text's white space becomes single spaces, as in the paper's code;
    without it line ends stay, and only blank lines go. `demonstrations` are (document, summary) pairs that stand
    before, each in this very template. Raises `UserError` for a template that is not so.
    """

    text: str
    one_line: bool = True
    demonstrations: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.scored:
            raise UserError(
                "a GPTScore template ends in the field that is scored, {summary} or {document}, and nothing after it"
            )
        fields = FIELD.findall(self.text)
        if fields.count(self.scored) != 1 or self.given not in fields:
            raise UserError(f"a GPTScore template that ends in {{{self.scored}}} needs it once, and {{{self.given}}}")
        between = "a new line" if self.one_line else "a blank line"
        pieces = self.text.split(f"{{{self.given}}}")[1:]
        if not all(("\n" if self.one_line else "\n\n") in FIELD.split(piece)[0] for piece in pieces):
            raise UserError(
                f"a GPTScore template needs {between} after {{{self.given}}}, or a text could end its field"
            )

    @cached_property
    def scored(self) -> str:
        """The field that the template ends in; "" if it is neither of the two."""
        return next((name for name in _SCORED if self.text.endswith(f"{{{name}}}")), "")

    @property
    def given(self) -> str:
        """The other field."""
        return "document" if self.scored == "summary" else "summary"

    @property
    def direction(self) -> str:
        return _SCORED[self.scored]

    @cached_property
    def hash(self) -> str:
        return content_hash("t", asdict(self))

    def shown(self, text: str) -> str:
        """`text` as the model sees it."""
        if self.one_line:
            return " ".join(text.split())
        return "\n".join(line.rstrip() for line in text.strip().splitlines() if line.strip())

    def prompt(self, source: Document | Candidate, document: str, summary: str) -> Prompt:
        """`document` is the source's text, or as much of it as fits."""
        values = {**fields_of(source), **self._texts(document, summary)}
        context = fill(self.text.removesuffix(f"{{{self.scored}}}"), values)
        return Prompt("\n\n".join([*self._shots, context]), values[self.scored])

    def _texts(self, document: str, summary: str) -> dict[str, str]:
        return {"document": self.shown(document), "summary": self.shown(summary)}

    @cached_property
    def _shots(self) -> list[str]:
        return [fill(self.text, self._texts(*demonstration)) for demonstration in self.demonstrations]


def templates_of(
    direction: str = DIRECTIONS[0],
    aspect: str = "",
    *,
    own: Sequence[str] = (),
    one_line: bool = True,
    demonstrations: Sequence[tuple[str, str]] = (),
) -> tuple[ScoreTemplate, ...]:
    """The templates of a direction, or of `both`: ours with an aspect's instruction, or the user's own texts.

    Raises `UserError` for an aspect or a direction that there is not, and for own texts that are not of the direction.
    """
    if direction not in (*DIRECTIONS, "both"):
        raise UserError(f"there is no direction {direction!r}; there are {', '.join(DIRECTIONS)} and both")
    if aspect not in ASPECTS:
        raise UserError(f"there is no aspect {aspect!r}; there are {', '.join(filter(None, ASPECTS))}")
    if own and aspect:
        raise UserError("an aspect is an instruction in a template of ours: give an aspect or templates of your own")
    wanted = DIRECTIONS if direction == "both" else (direction,)
    shots = tuple(demonstrations)
    templates = [ScoreTemplate(text, one_line, shots) for text in own or _ours(wanted, aspect)]
    if sorted(template.direction for template in templates) != sorted(wanted):
        needed = " and one ".join(f"that ends in {{{name}}}" for name, way in _SCORED.items() if way in wanted)
        raise UserError(f"the direction {direction} needs one template {needed}")
    return tuple(templates)


def _ours(wanted: Sequence[str], aspect: str) -> list[str]:
    forward, backward = ASPECTS[aspect]
    texts = {DIRECTIONS[0]: _FORWARD.format(forward), DIRECTIONS[1]: _BACKWARD.format(backward)}
    return [texts[way] for way in wanted]


def template_text(given: str) -> str:
    """The text itself if it has both fields, else that of the file of this name, without white space at its end."""
    if "{document}" in given and "{summary}" in given:
        return given
    try:
        return Path(given).read_text("utf-8").rstrip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(
            f"cannot read the template {given}: {why}; give a text file, or a text with {{document}} and {{summary}}"
        ) from error


def demonstrations_from(path: Path) -> tuple[tuple[str, str], ...]:
    """The (document, summary) pairs of a JSONL file. Raises `BadInput` with line and field for a row that is none."""
    found = []
    for row in json_rows(path):
        if isinstance(row, Bad):
            raise row.error.at(path=path)
        try:
            found.append((text_of(row.fields, "document"), text_of(row.fields, "summary")))
        except BadInput as error:
            raise error.at(path=path, line=row.line) from None
    return tuple(found)
