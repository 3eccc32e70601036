"""A hand-made sandbox document, whose facts are known by heart, for the sandbox's tests."""

from __future__ import annotations

from precis.records import Document
from precis.sandbox.story import Fact, Person, Story
from precis.sandbox.times import Time


def moving() -> Document:
    """Amara moves into a loft in Harbour Street on Friday at three (not Thursday), and asks Ben for his van."""
    facts = [
        Fact("event", "move into a loft | make a loft my new home"),
        Fact("when", time=Time(day="friday", clock=180)),
        Fact("where", "in Harbour Street"),
        Fact("why", "my sister is coming to live with me | I am going to live with my sister"),
        Fact("change", slot="when", time=Time(day="friday", clock=180), old_time=Time(day="thursday", clock=180)),
        Fact("cause", "there is a train strike | the trains are on strike"),
        Fact("request", "lend me your van | let me use your van"),
        Fact("outcome", slot="agree_if"),
        Fact("detail", "I pay for the petrol | I cover the cost of the petrol", slot="agree_if"),
    ]
    story = Story(
        form="conversation", family="moving_house", domain="home", tense="plan", noun="the move", thing="the flat",
        topic="moving house", people={"A": Person("Amara", "f"), "T": Person("Ben", "m")},
        facts={fact.kind: fact for fact in facts}, item="a loft", act="move into {item} | make {item} my new home",
    )  # fmt: skip
    text = (
        "Amara: I'm moving into a loft at last.\nBen: How come?\nAmara: Well, my sister's coming to live with me.\n"
        "Ben: When is the move?\nAmara: It was supposed to be on Thursday at three, but there's a train strike, so "
        "it's Friday at three now. The flat is in Harbour Street.\nBen: Lovely.\nAmara: Could you lend me your van?\n"
        "Ben: Okay, as long as you pay for the petrol.\nAmara: You're a treasure."
    )
    return Document(text, dataset="sandbox", meta=story.to_meta())
