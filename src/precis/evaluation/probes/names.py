"""Who is named in a text, without a model: speakers by their tags, names by their capitals."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...textmetrics import is_dialogue, sentences

_SPEAKER = re.compile(r"([^\s:][^:\n]{0,39}):(?=\s|$)")
_NO_NAMES = (
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december christmas easter i"
)
_CALENDAR = frozenset(_NO_NAMES.split())


def speakers_of(document: str) -> list[str]:
    """The speakers of a dialogue in the order in which they first speak; none of prose."""
    if not is_dialogue(document):
        return []
    found = (_SPEAKER.match(line.strip()) for line in document.splitlines())
    return list(dict.fromkeys(match[1].strip() for match in found if match))


def names_in(summary: str, document: str) -> list[str]:
    """Names in the summary that the document has too, in order: words written with a capital inside a sentence.

    Neighbours with capitals make one name. Days, months and words that also stand in lower case are none. Places
    are names like any other.
    """
    texts = (summary, _SPEAKER.sub("", document) if is_dialogue(document) else document)
    lower, inside = set(), set()
    for text in texts:
        for place, word, _ in _words(text):
            if word[0].islower():
                lower.add(word.casefold())
            elif place > 0 and not word.isupper():
                inside.add(word)
    known = {word for word in inside if word.casefold() not in lower | _CALENDAR and word[0].isupper()}
    runs: list[list[str]] = []
    open_run = False
    for _, word, closes in _words(summary):
        if word in known and open_run:
            runs[-1].append(word)
        elif word in known:
            runs.append([word])
        open_run = word in known and not closes
    names = dict.fromkeys(" ".join(run) for run in runs)
    return [name for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", document)]


def _words(text: str) -> Iterator[tuple[int, str, bool]]:
    """(place in its sentence, bare word, whether punctuation or an ending closes it)."""
    for sentence in sentences(text):
        for place, token in enumerate(sentence.split()):
            if match := re.search(r"\w+(?:[-'’]\w+)*", token):
                word = re.sub(r"['’]\w{1,2}$", "", match[0])
                yield place, word, not token.endswith(word)
