"""The oracle's eyes: a summary read back into its document's facts.

Nothing is looked up in the summary grammar. A fact counts as told where its content words stand together in order,
joined by grammar, in a sentence that reads as English, with the right person as subject and its negations right; a
time, place or thing counts where it is asserted and not given up. All other content words are checked against the
document: foreign ones are unsupported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ..records import Document
from .answers import STANCE_CREDIT, stances
from .circumstances import ValueReading, names_of, read_belief, read_noun_phrases, read_places, read_times
from .deeds import Told, View, read_event, read_phrase, read_request, subject_at, text_of
from .fluency import sentence_gate
from .lexis import Token, known_names, light_stems, neutral_stems, read_sentences, read_tokens
from .mentions import clause_start, mentions
from .story import Fact, Story, story_of
from .times import find_times
from .values import CHANGE_CUES, noun_phrase


@dataclass(frozen=True)
class FactReading:
    """One fact in a summary. `credit`: 0 (not told) to 1 (told fully and rightly); `wrong`: told, but not so."""

    kind: str
    credit: float
    wrong: bool = False
    said: str = ""


@dataclass(frozen=True)
class Reading:
    """What a summary says. `facts` has every fact of the document; `unsupported` are content words from nowhere."""

    facts: Mapping[str, FactReading]
    unsupported: tuple[str, ...] = ()
    invented: tuple[str, ...] = ()  # times, places and people that contradict the document or are not in it
    gates: tuple[float, ...] = ()  # how far each sentence reads as English
    lengths: tuple[int, ...] = field(default=(), repr=False)  # words in each sentence
    form: float = 1.0  # mean licence of its statements: 1 if each has the form its place asks for

    @property
    def fluency(self) -> float:
        """Mean gate over words."""
        return sum(g * n for g, n in zip(self.gates, self.lengths)) / (sum(self.lengths) or 1)


# More than any summary needs; what comes after is not read, so that no text can take for ever.
READ_CHARACTERS = 4000


def view_summary(story: Story, text: str) -> list[View]:
    """The sentences of a summary, each looked at once. Words that tell a time mean nothing else."""
    views: list[View] = []
    subject: frozenset[str] = frozenset()
    for tokens in read_sentences(text):
        times = find_times([token.word for token in tokens])
        timed = {i for start, end, _ in times for i in range(start, end)}
        plain = [token._replace(concept="") if i in timed else token for i, token in enumerate(tokens)]
        people = mentions(story, plain)
        view = View(
            plain,
            people,
            times,
            sentence_gate(plain),
            _is_denied_whole(plain),
            subject,
            frozenset(token.concept for token in plain),
        )
        last = subject_at(view, len(plain)) if people else None
        subject = (last if last in (frozenset("A"), frozenset("T")) else frozenset()) if last else subject
        views.append(view)
    return views


def _is_denied_whole(tokens: Sequence[Token]) -> bool:
    """True for `it is not true that`, `it is false that` and their kin."""
    words = [token.word for token in tokens]
    text = " ".join(words)
    return "not true" in text or "not the case" in text or bool({"untrue", "incorrect", "false"} & set(words[:5]))


def read_facts(summary: str, document: Document) -> Reading:
    """Read `summary` back into the facts of `document`, which must be one of the sandbox's."""
    story = story_of(document)
    views = view_summary(story, summary[:READ_CHARACTERS])
    statements = _statements(story, views)
    facts = {kind: _best(views, told, kind) for kind, told in statements.items()}
    used = [
        {i for told in statements.values() if (hit := told[number]) for i in hit.used} for number in range(len(views))
    ]
    change = story.facts.get("change")
    if change and change.slot == "belief":
        credit, wrong, hits = read_belief(story, views)
        facts["change"] = FactReading("change", credit, wrong)
        for positions, found in zip(used, hits):
            positions.update(i for hit in found for i in hit.used)
    if facts["event"].credit == 0 and not facts["event"].wrong:
        facts["event"] = _topic_only(story, views, used)
    # A time or place of an event that is told wrongly is not this event's.
    links = [_link(story, view, hit) for view, hit in zip(views, statements["event"])]
    times, places = read_times(story, views, used, links), read_places(story, views, used, links)
    invented = _strangers(story, views)
    for kind, value in (("when", times), ("where", places)):
        if kind in story.facts:
            facts[kind] = FactReading(
                kind, value.credit * (0.5 if value.wrong else 1.0), bool(value.wrong), value.wrong
            )
        elif value.wrong:
            invented.append(value.wrong)
    if change and change.slot in ("when", "where"):
        facts["change"] = _change(times if change.slot == "when" else places)
    elif change and change.slot == "item":
        facts["change"] = _change(_read_item(views, statements["event"], change))
    if "outcome" in story.facts:
        _read_answer(story, views, facts, statements)
    lengths = tuple(sum(token.word[0].isalnum() for token in view.tokens) for view in views)
    ordered = {kind: facts[kind] for kind in story.facts}
    licences = [hit.licence for told in statements.values() for hit in told if hit and not hit.wrong]
    form = sum(licences) / len(licences) if licences else 1.0
    gates = tuple(view.gate for view in views)
    return Reading(ordered, _unsupported(document, story, views), tuple(invented), gates, lengths, form)


def _link(story: Story, view: View, event: Told | None) -> float:
    """How far a time or place in this sentence is the event's: by the event itself, its name, or a word for it."""
    if view.denied or (event and event.wrong):
        return 0.0
    words = {token.word for token in view.tokens}
    if event or words & (_STANDS_FOR_EVENT | CHANGE_CUES) or names_of(story, view):
        return 1.0
    return 0.4


_STANDS_FOR_EVENT = {"it", "this", "that", "which", "plan", "plans", "planned"}
Hits = list[Told | None]  # one for each sentence


def _statements(story: Story, views: Sequence[View]) -> dict[str, Hits]:
    """What each sentence tells of the event, the reasons, the request and the detail of the answer."""
    statements: dict[str, Hits] = {}
    for kind, fact in story.facts.items():
        if kind == "event":
            statements[kind] = [read_event(view, story) for view in views]
        elif kind == "request":
            statements[kind] = [read_request(view, story) for view in views]
        elif kind in ("why", "cause"):
            statements[kind] = [read_phrase(view, story, fact.text) for view in views]
        elif kind == "detail":
            verb = fact.slot in ("offer", "undecided")
            statements[kind] = [
                read_phrase(view, story, fact.text, agent="T" if verb else "", verb_first=verb) for view in views
            ]
    for number in range(len(views)):
        right = [hit for hits in statements.values() if (hit := hits[number]) and not hit.wrong]
        for hits in statements.values():
            # Words that rightly tell one fact do not wrongly tell another that shares some of them.
            if (
                (hit := hits[number])
                and hit.wrong
                and any(2 * len(hit.used & other.used) >= len(hit.used) for other in right)
            ):
                hits[number] = None
    return statements


def _best(views: Sequence[View], hits: Hits, kind: str) -> FactReading:
    """The best telling, worth half if another sentence tells it wrongly."""
    told = [(view, hit) for view, hit in zip(views, hits) if hit]
    right = max((item for item in told if not item[1].wrong), key=lambda item: item[1].credit, default=None)
    wrong = next((item for item in told if item[1].wrong), None)
    chosen = right if right is not None and right[1].credit > 0 else wrong
    if chosen is None:
        return FactReading(kind, 0.0)
    view, hit = chosen
    return FactReading(kind, hit.credit / (2 if wrong else 1), wrong is not None, text_of(view, hit.start, hit.end))


def _topic_only(story: Story, views: Sequence[View], used: Sequence[set[int]]) -> FactReading:
    """A little for "they talk about a move": the topic and no more."""
    tokens = read_tokens(story.topic)
    topic = {token.concept for token in tokens if token.concept} - light_stems()
    gate = 0.0
    for view, positions in zip(views, used):
        at = [i for i, token in enumerate(view.tokens) if token.concept in topic]
        if topic and topic <= {view.tokens[i].concept for i in at} and at[-1] - at[0] <= len(tokens):
            positions.update(at)
            gate = max(gate, view.gate if view.people else 0.0)
    return FactReading("event", 0.2 * gate)


def _read_item(views: Sequence[View], events: Hits, change: Fact) -> ValueReading:
    """The thing that changed. The event's own verb (`move into a flat`) is no word of change, but its thing counts."""
    things = set(noun_phrase(change.text).concepts) | set(noun_phrase(change.old).concepts)
    used = [
        {i for i in (hit.used if hit else ()) if view.tokens[i].concept not in things}
        for view, hit in zip(views, events)
    ]
    nothing: list[set[int]] = [set() for _ in views]
    return read_noun_phrases(
        views, used, nothing, [float(not view.denied) for view in views], change.text, change.old, []
    )


def _change(value: ValueReading) -> FactReading:
    """A change is told by its new value and, fully, by the old one too."""
    if value.reversed and not value.new:
        return FactReading("change", 0.0, True)
    credit = min(value.new, value.old) + 0.7 * max(0.0, value.new - value.old)
    return FactReading("change", credit * (0.5 if value.reversed else 1.0), value.reversed)


def _read_answer(
    story: Story, views: Sequence[View], facts: dict[str, FactReading], statements: dict[str, Hits]
) -> None:
    """The outcome: what T is said to answer, wherever no other fact has used the words."""
    truth = story.facts["outcome"].slot
    worth = STANCE_CREDIT[truth]
    credit, wrong, said = 0.0, False, ""
    for number, view in enumerate(views):
        taken = []
        for kind, hits in statements.items():
            if hit := hits[number]:
                whole = kind in ("event", "why", "cause") or (kind == "detail" and truth in ("agree_if", "refuse"))
                taken.append((clause_start(view.tokens, hit.start, view.people) if whole else hit.start, hit.end))
        found = stances(view, story, taken)
        for stance in found:
            if stance.stance in worth:
                credit = max(credit, worth[stance.stance] * view.gate)
            elif not (truth == "undecided" and len(found) > 1):
                wrong, said = True, text_of(view, stance.position, stance.position + 3)
    detail = facts.get("detail")
    if truth == "offer" and detail and detail.credit > credit and not wrong:
        credit = 0.8 * detail.credit
    if detail and wrong and credit == 0:
        facts["detail"] = FactReading("detail", detail.credit / 2, detail.wrong, detail.said)
    facts["outcome"] = FactReading("outcome", credit / 2 if wrong else credit, wrong, said)


def _strangers(story: Story, views: Sequence[View]) -> list[str]:
    """Names that the document does not know."""
    own = {person.name.lower() for person in story.people.values()}
    return [
        token.word
        for view in views
        for token in view.tokens
        if token.capital and token.word in known_names() and token.word not in own
    ]


@lru_cache(maxsize=4096)
def _known_concepts(document: Document) -> frozenset[str]:
    """The concepts of the document's text and of its facts in every wording."""
    story = story_of(document)
    texts = [document.text, story.noun, story.thing, story.topic, *(f"{f.text} {f.old}" for f in story.facts.values())]
    return frozenset(token.concept for text in texts for token in read_tokens(text) if token.concept)


def _unsupported(document: Document, story: Story, views: Sequence[View]) -> tuple[str, ...]:
    known = _known_concepts(document) | neutral_stems() | light_stems()
    relations = {person.relation for person in story.people.values()}
    foreign: list[str] = []
    for view in views:
        timed = {i for start, end, _ in view.times for i in range(start, end)}
        foreign += [
            token.word
            for i, token in enumerate(view.tokens)
            if token.concept and token.concept not in known and i not in timed and token.word not in known_names()
            and token.word not in relations
        ]  # fmt: skip
    return tuple(foreign)
