"""The patterns of the heuristic TL;DR filters. OpenAI's own lists were not published; these err on the careful side."""

from __future__ import annotations

import re


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b", re.IGNORECASE)


# "Edit", "[UPDATE]", "Updated:", "(edit 2)"; but neither "Editing" nor "Updating", which are topics.
OPENS_WITH_EDIT = re.compile(r"[\W_]*(?:edit(?:s|ed)?|update[sd]?)\d*\b", re.IGNORECASE)
OPENS_WITH_POSTSCRIPT = re.compile(r"[\W_]*p\.?(?:p\.?)*s\b", re.IGNORECASE)

GRAPHIC_SEX = _words(
    r"blow ?jobs?", r"hand ?jobs?", r"cunniling\w+", "fellatio", r"orgasm\w*", r"masturbat\w+", r"penis(?:es)?",
    r"vagina\w*", r"clit(?:oris)?", r"ejaculat\w+", r"porn\w*", "(?:anal|oral) sex",
    r"g[ai]v(?:e|es|ing) (?:me |him |her )?(?:head|oral)", r"dildos?", r"cum(?:ming|med|shots?)?(?! laude)",
    r"boners?", r"erections?", "nsfw", r"threesomes?", "foreplay", r"finger(?:ed|ing) (?:me|her|myself|herself)",
    "horny",
)  # fmt: skip
SUICIDE = _words(
    r"suicid\w*", r"kill(?:s|ed|ing)? (?:my|him|her|your|them)sel(?:f|ves)", r"hang(?:ed|ing)? (?:my|him|her)self",
    r"(?:took|take|takes|taking) (?:my|his|her|their) own li(?:fe|ves)",
    r"end(?:ed|ing)? (?:my|his|her|their) (?:own )?li(?:fe|ves)", r"self[- ]?harm\w*",
)  # fmt: skip
# Wider than what is graphic: reason enough for care where somebody under age is in the story.
SEXUAL = _words(
    r"sex\w*", r"nudes?", "nudity", "naked", r"virgin\w*", r"hook(?:ed|ing)? ?up", r"sl(?:eep|eeping|ept) with",
    r"m(?:ake|aking|ade) (?:out|love)", r"condoms?", "turned on", r"grop\w+", r"molest\w*", r"rap(?:e|ed|es|ing|ists?)",
    r"boobs?", r"breasts?", r"panties", "lingerie", "booty call", "friends with benefits", "fwb",
)  # fmt: skip

_AGE = r"1[0-7]"
_OLD = r"[- ]?(?:y/?o|(?:yrs?|years?)[- ]?old)"
# "I'm 16" and "I just turned 15", but not "I am 12 weeks pregnant" or "I'm 17 hours away".
_UNITS = r"(?!['’]|[.,]\d|[- ]?(?:%|(?:weeks?|months?|days?|hours?|hrs?|min\w*|sec\w*|miles?|km|cm|lbs?|kg|k)\b))"
UNDER_AGE = re.compile(
    rf"\bi(?:['’]?m| am)?(?: (?:only|just|currently|a|turned|turning|was))* {_AGE}\b{_UNITS}"
    rf"|[(\[]\s*(?:[mf][\s/,.-]*{_AGE}|{_AGE}(?:[\s/,.-]*[mf]|{_OLD}[\s/,.-]*[mf]?))\s*[)\]]"
    rf"|\b(?:i|me|my \w+)\s*[(\[]\s*{_AGE}\s*[)\]]"
    rf"|\b{_AGE}{_OLD}\b|\b(?:[mf]{_AGE}|{_AGE}[mf])\b"
    r"|\bi(?:['’]?m| am) (?:still |currently |a \w+ )*in (?:high|middle) school\b|\bunder[- ]?age\b",
    re.IGNORECASE,
)

PROFANE = _words(
    r"\w*fuck\w*", r"(?:bull|dip|bat|horse)?shit\w*", r"bitch\w*", r"cunts?", r"\w*assholes?", r"cocks?(?:ucker\w*)?",
    r"dicks?(?:head\w*)?", r"puss(?:y|ies)", r"whor(?:e|es|ing)", r"sluts?", r"slutt\w+", r"bastards?",
    r"fag(?:s|gots?)?", r"nigg\w+", r"retard\w*", r"twats?", r"wank\w*", r"tits?",
)  # fmt: skip
