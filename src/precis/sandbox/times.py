"""Days, dates, months and hours: said in many ways, read back into one."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from .lexis import function_words

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
          "december")  # fmt: skip
PARTS = ("morning", "afternoon", "evening", "night")
_HOURS = ("twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")
_HOUR_NUMBER = {word: number or 12 for number, word in enumerate(_HOURS)} | {str(h): h for h in range(1, 13)}
_ORDINAL_WORDS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth",
)  # fmt: skip
_ORDINALS = {word: number for number, word in enumerate(_ORDINAL_WORDS, start=1)}


class Time(NamedTuple):
    """The parts that are known; empty or -1 where unknown. `clock` is minutes after noon or midnight, 0–719."""

    day: str = ""
    part: str = ""
    clock: int = -1
    date: int = -1
    month: str = ""

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in self._asdict().items() if value not in ("", -1)}

    def agrees(self, other: Time) -> bool:
        """No part that both name differs."""
        mine, theirs = self._asdict(), other._asdict()
        return all(mine[name] == theirs[name] for name in self.known() & other.known())

    def known(self) -> set[str]:
        return {name for name, value in self._asdict().items() if _known(value)}


UNKNOWN_TIME = Time()


def _known(value: object) -> bool:
    return value not in ("", -1)


def random_time(rng: Random, kind: str) -> Time:
    """A time of `kind` day, clock, date or month."""
    if kind == "day":
        return Time(day=rng.choice(DAYS), part=rng.choice(("", "", "morning", "afternoon", "evening")))
    if kind == "clock":
        hour = rng.choice((9, 10, 11, 1, 2, 3, 4, 5, 6, 7, 8))
        return Time(day=rng.choice(DAYS), clock=hour % 12 * 60 + rng.choice((0, 0, 0, 30, 30, 15, 45)))
    if kind == "date":
        return Time(date=rng.randint(1, 28), month=rng.choice(MONTHS))
    return Time(month=rng.choice(MONTHS))


def other_time(rng: Random, time: Time) -> tuple[Time, bool]:
    """A different time of the same kind, and whether it is a later hour of the same day."""
    if time.clock >= 0 and rng.random() < 0.5:
        since_midnight = time.clock + (0 if time.clock > 8 * 60 else 720)
        later = [since_midnight + step for step in (30, 60, 90, 120, 180, 240)]
        later = [minutes % 720 for minutes in later if minutes <= 20 * 60 + 30]
        if later:
            return time._replace(clock=rng.choice(later)), True
    if time.day:
        return time._replace(day=rng.choice([day for day in DAYS if day != time.day])), False
    if time.date > 0 and rng.random() < 0.7:
        return time._replace(date=rng.choice([date for date in range(1, 29) if date != time.date])), False
    return time._replace(month=rng.choice([month for month in MONTHS if month != time.month])), False


def _clock(rng: Random, minutes: int) -> str:
    hour, minute = divmod(minutes, 60)
    name, following = _HOURS[hour], _HOURS[(hour + 1) % 12]
    number = hour or 12
    suffix = "am" if minutes > 8 * 60 + 30 else "pm"
    if minute == 0:
        return rng.choice((name, f"{name} o'clock", f"{number} {suffix}", name))
    words = {15: f"quarter past {name}", 30: f"half past {name}", 45: f"quarter to {following}"}.get(minute)
    return rng.choice([f"{number}:{minute:02d}", *([words, words] if words else [])])


def _ordinal(number: int) -> str:
    return f"{number}{'th' if 10 <= number <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def say(rng: Random, time: Time) -> tuple[str, str]:
    """`(bare, full)`: "Friday at three" and "on Friday at three"."""
    month = time.month.capitalize()
    if time.date > 0:
        bare = rng.choice(
            (f"{time.date} {month}", f"{month} {_ordinal(time.date)}", f"the {_ordinal(time.date)} of {month}")
        )
        return bare, f"on {bare}"
    if time.month:
        return month, f"in {month}"
    if not time.day:
        words = _clock(rng, time.clock)
        return words, f"at {words}"
    day = time.day.capitalize() + (f" {time.part}" if time.part else "")
    if time.clock < 0:
        return day, f"on {day}"
    clock = _clock(rng, time.clock)
    if rng.random() < 0.25:
        return f"{clock} on {day}", f"at {clock} on {day}"
    return f"{day} at {clock}", f"on {day} at {clock}"


_GLUE = {"at", "on", "in", "the", "of", "next", "this", "last", "coming", "o'clock", "pm", "am", "around", "about",
         "a.m", "p.m", "past", "half", "quarter"}  # fmt: skip
_CLOCK_LEADS = {"at", "past", "around", "about", "until", "till", "by", "to", "from", "of", "for", "than", "not", "or"}


_AFTER_CLOCK = {"instead", "outside", "inside"}


class FoundTime(NamedTuple):
    start: int
    end: int
    time: Time


def _number(word: str, last: int) -> int:
    digits = word.removesuffix("th").removesuffix("st").removesuffix("nd").removesuffix("rd")
    if digits.isascii() and digits.isdigit() and 1 <= int(digits) <= last:
        return int(digits)
    return -1


def _read_clock(words: Sequence[str], i: int) -> tuple[int, int]:
    """`(minutes, words used)` of a clock time that starts at word `i`, or `(-1, 0)`."""
    word = words[i]
    following = words[i + 1] if i + 1 < len(words) else ""
    before = words[i - 1] if i else ""
    if word in ("half", "quarter"):
        hour_word = words[i + 2] if i + 2 < len(words) else ""
        if following in ("past", "to") and hour_word in _HOUR_NUMBER:
            base = _HOUR_NUMBER[hour_word] % 12 * 60
            return (base + {"half": 30, "quarter": 15}[word] * (1 if following == "past" else -1)) % 720, 3
        return -1, 0
    if word in ("noon", "midday") and before in _CLOCK_LEADS:
        return 0, 1
    hour, _, minute = word.partition(":")
    if minute.isascii() and minute.isdigit() and hour in _HOUR_NUMBER and int(minute) < 60:
        return _HOUR_NUMBER[hour] % 12 * 60 + int(minute), 1
    glued = word.removesuffix("am").removesuffix("pm")
    if glued != word and glued in _HOUR_NUMBER and glued.isdigit():
        return _HOUR_NUMBER[glued] % 12 * 60, 1
    if word in _HOUR_NUMBER:
        if following in ("o'clock", "pm", "am", "a.m", "p.m"):
            return _HOUR_NUMBER[word] % 12 * 60, 2
        if following in ("fifteen", "thirty"):
            return _HOUR_NUMBER[word] % 12 * 60 + {"fifteen": 15, "thirty": 30}[following], 2
        next_is_day = following == "on" and i + 2 < len(words) and words[i + 2] in DAYS
        ends = not following[:1].isalnum() or following in function_words() or following in _AFTER_CLOCK
        ends = ends and following not in (*MONTHS, "of")
        leads = before in _CLOCK_LEADS and (before != "for" or words[i - 2] in ("planned", "scheduled", "set", "meant"))
        if next_is_day or (leads and ends):
            return _HOUR_NUMBER[word] % 12 * 60, 1
    return -1, 0


def find_times(words: Sequence[str]) -> list[FoundTime]:
    """The time expressions in lower-case `words` (punctuation marks are words of their own)."""
    parts: list[FoundTime] = []
    i = 0
    while i < len(words):
        word, used = words[i], 1
        minutes, clock_used = _read_clock(words, i)
        if word.removesuffix("s") in DAYS and word != "s":
            parts.append(FoundTime(i, i + 1, Time(day=word.removesuffix("s"))))
        elif word in PARTS and parts and parts[-1].end == i and parts[-1].time.day:
            parts.append(FoundTime(i, i + 1, Time(part=word)))
        elif minutes >= 0:
            used = clock_used
            parts.append(FoundTime(i, i + used, Time(clock=minutes)))
        elif word in MONTHS and not (word in ("may", "march") and not _month_like(words, i)):
            parts.append(FoundTime(i, i + 1, Time(month=word)))
        elif _date_like(words, i):
            parts.append(FoundTime(i, i + 1, Time(date=_ORDINALS.get(word, _number(word, 31)))))
        i += used
    return _merge(words, parts)


def _month_like(words: Sequence[str], i: int) -> bool:
    before = words[i - 1] if i else ""
    following = words[i + 1] if i + 1 < len(words) else ""
    return before in (
        "in",
        "of",
        "last",
        "next",
        "until",
        "for",
        "from",
        "to",
        "than",
        "not",
        "this",
        "by",
        "or",
    ) or any(_number(word, 31) > 0 for word in (before, following))


def _date_like(words: Sequence[str], i: int) -> bool:
    number = _ORDINALS.get(words[i], _number(words[i], 31))
    if number < 0:
        return False
    before = words[i - 1] if i else ""
    after = list(words[i + 1 : i + 3])
    return before in MONTHS or (bool(after) and (after[0] in MONTHS or (after[0] == "of" and after[-1] in MONTHS)))


def _merge(words: Sequence[str], parts: list[FoundTime]) -> list[FoundTime]:
    """Join neighbours that only glue words divide and that name different parts (`Friday` + `at three`)."""
    found: list[FoundTime] = []
    for part in parts:
        if found:
            last = found[-1]
            between = words[last.end : part.start]
            if len(between) <= 3 and all(w in _GLUE for w in between) and not last.time.known() & part.time.known():
                merged = last.time._replace(**{name: getattr(part.time, name) for name in part.time.known()})
                found[-1] = FoundTime(last.start, part.end, merged)
                continue
        found.append(part)
    return found
