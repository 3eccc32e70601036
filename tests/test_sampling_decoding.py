"""From logits to tokens: hand-worked cases, brute force, and the random streams."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from precis.errors import BadInput, UserError
from precis.sampling import decoding
from precis.sampling.decoding import (
    Decoding,
    bar_repeated_ngrams,
    choose,
    constrain,
    cut_at_stop,
    longest,
    uniforms,
)


def logits_of(*probabilities: float) -> torch.Tensor:
    return torch.log(torch.tensor([probabilities], dtype=torch.float64))


def draw(logits: torch.Tensor, u: float, how: Decoding) -> tuple[int, float, float]:
    token, logp, sampled = choose(logits, logits, torch.tensor([u], dtype=torch.float64), how)
    assert sampled is not None
    return int(token), float(logp), float(sampled)


# Random streams


def test_streams_are_fixed_for_ever() -> None:
    """A stored candidate names its seed; another version of the code must draw the same numbers from it."""
    assert uniforms(1, "d_0", 0, 3).tolist() == GOLDEN
    assert uniforms(1, "d_0", 0, 50)[:3].tolist() == GOLDEN


GOLDEN = [0.880124446059961, 0.5508074933825167, 0.3754179380459447]


def test_streams_differ_by_seed_key_and_index_and_look_uniform() -> None:
    streams = [uniforms(seed, key, index, 2000) for seed in (0, 1) for key in ("a", "b") for index in (0, 1)]
    for place, stream in enumerate(streams):
        assert stream.min() >= 0
        assert stream.max() < 1
        assert abs(stream.mean() - 0.5) < 4 * math.sqrt(1 / 12 / 2000)
        for other in streams[:place]:
            assert abs(np.corrcoef(stream, other)[0, 1]) < 0.1
    # The parts of the name cannot run into each other.
    assert uniforms(1, "1", 0, 1) != uniforms(11, "", 0, 1)


# Temperature


def test_inversion_takes_the_token_whose_interval_holds_the_uniform() -> None:
    logits = logits_of(0.2, 0.5, 0.3)
    how = Decoding("temperature")
    assert [draw(logits, u, how)[0] for u in (0.0, 0.199, 0.201, 0.699, 0.701, 0.999)] == [0, 0, 1, 1, 2, 2]
    token, logp, sampled = draw(logits, 0.25, how)
    assert token == 1
    assert logp == pytest.approx(math.log(0.5), abs=1e-12)
    assert sampled == pytest.approx(math.log(0.5), abs=1e-12)


def test_temperature_changes_the_distribution_sampled_from_but_not_the_models() -> None:
    """At temperature ½ probabilities 0.2, 0.8 become 0.04, 0.64 over 0.68."""
    how = Decoding("temperature", temperature=0.5)
    token, logp, sampled = draw(logits_of(0.2, 0.8), 0.9, how)
    assert token == 1
    assert logp == pytest.approx(math.log(0.8), abs=1e-12)
    assert sampled == pytest.approx(math.log(0.64 / 0.68), abs=1e-12)
    assert draw(logits_of(0.2, 0.8), 0.04 / 0.68 - 1e-9, how)[0] == 0


@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2**-53])
def test_a_barred_token_is_never_drawn(u: float) -> None:
    logits = torch.tensor([[-math.inf, 0.0, -math.inf, 0.0, -math.inf]])
    token, _, sampled = draw(logits, u, Decoding("temperature"))
    assert token in (1, 3)
    assert sampled == pytest.approx(math.log(0.5))


@settings(max_examples=60, deadline=None)
@given(
    size=st.sampled_from([1, 2, 7, 24, 97, 512, 1024, 1536]),
    seed=st.integers(0, 999),
    u=st.floats(0, 1, exclude_max=True),
)
def test_drawing_in_two_stages_is_inversion(size: int, seed: int, u: float) -> None:
    """Of any vocabulary, prime or not, with barred tokens: the first place at which the running sum exceeds u."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, size, dtype=torch.float64, generator=generator) * 4
    logits[torch.rand(1, size, generator=generator) < 0.3] = -math.inf
    logits[0, seed % size] = 1.0
    probability = torch.softmax(logits[0], 0).numpy()
    running = np.cumsum(probability)
    token = draw(logits, u, Decoding("temperature"))[0]
    assert probability[token] > 0
    assert (running[token - 1] if token else 0) - 1e-12 <= u * running[-1] <= running[token] + 1e-12


# Nucleus


def test_nucleus_is_the_smallest_set_that_reaches_top_p() -> None:
    """Of 0.1, 0.4, 0.2, 0.3: 0.4 + 0.3 = 0.7 reaches 0.6 and 0.65; 0.75 needs 0.2 as well; 0.35 only 0.4."""
    logits = logits_of(0.1, 0.4, 0.2, 0.3)

    def support(top_p: float) -> set[int]:
        return {draw(logits, u, Decoding("top-p", top_p=top_p))[0] for u in np.linspace(0, 0.9999, 200)}

    assert support(0.6) == support(0.65) == {1, 3}
    assert support(0.75) == {1, 2, 3}
    assert support(0.35) == {1}
    assert support(0.95) == support(1.0) == {0, 1, 2, 3}
    token, logp, sampled = draw(logits, 0.9, Decoding("top-p", top_p=0.65))
    assert token == 3
    assert logp == pytest.approx(math.log(0.3), abs=1e-12)
    assert sampled == pytest.approx(math.log(0.3 / 0.7), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    sixteenths=st.lists(st.integers(-128, 128), min_size=2, max_size=40, unique=True),
    top_p=st.floats(0.01, 0.999),
    u=st.floats(0, 1, exclude_max=True),
    first=st.integers(1, 40),
)
def test_nucleus_equals_brute_force(sixteenths: list[int], top_p: float, u: float, first: int) -> None:
    """Whatever share of the vocabulary is sorted at first. No two tokens tie: either would be right."""
    logits = torch.tensor([sixteenths], dtype=torch.float64) / 16
    probability = torch.softmax(logits[0], 0).numpy()
    order = np.argsort(-probability, kind="stable")
    mass = np.cumsum(probability[order])
    count = int(np.searchsorted(mass, top_p - 1e-12)) + 1
    if np.abs(mass - top_p).min() < 1e-9:
        return  # on the edge of rounding
    before = decoding.NUCLEUS_WIDTHS
    decoding.NUCLEUS_WIDTHS = (first, first + 3)
    try:
        token, _, sampled = draw(logits, u, Decoding("top-p", top_p=top_p))
    finally:
        decoding.NUCLEUS_WIDTHS = before
    kept = order[:count]
    assert token in kept
    assert sampled == pytest.approx(math.log(probability[token] / probability[kept].sum()), abs=1e-9)
    running = np.cumsum(probability[kept]) / probability[kept].sum()
    place = int(np.where(kept == token)[0][0])
    assert (running[place - 1] if place else 0) - 1e-9 <= u <= running[place] + 1e-9


def test_greedy_takes_the_likeliest_allowed_token() -> None:
    logits = logits_of(0.2, 0.5, 0.3)
    allowed = logits.clone()
    allowed[0, 1] = -math.inf
    token, logp, sampled = choose(logits, allowed, None, Decoding("greedy"))
    assert int(token) == 2
    assert float(logp) == pytest.approx(math.log(0.3))
    assert sampled is None


# Constraints


def test_repeated_ngrams_are_barred() -> None:
    """After 5 6 5 6 5: bigrams 5·6 and 6·5 exist, so after 5 the token 6 is barred; trigram 6·5·6 bars 6 as well.
    After 1 2 3 4 1 nothing but 2 is barred, and only for bigrams."""
    written = torch.tensor([[5, 6, 5, 6, 5], [1, 2, 3, 4, 1]])

    def barred(size: int) -> list[set[int]]:
        logits = torch.zeros(2, 8)
        bar_repeated_ngrams(logits, written, size)
        return [set(torch.where(row == -math.inf)[0].tolist()) for row in logits]

    assert barred(1) == [{5, 6}, {1, 2, 3, 4}]
    assert barred(2) == [{6}, {2}]
    assert barred(3) == [{6}, set()]
    assert barred(5) == [set(), set()]
    assert barred(9) == [set(), set()]


def test_the_end_token_is_barred_until_the_minimum_is_written() -> None:
    logits, stop = torch.zeros(1, 4), torch.tensor([2])
    how = Decoding(min_new_tokens=2)
    for length, expected in ((0, -math.inf), (1, -math.inf), (2, 0.0)):
        allowed = constrain(logits, torch.zeros(1, length, dtype=torch.long), how, stop)
        assert float(allowed[0, 2]) == expected
    assert bool((logits == 0).all())


def test_a_sample_ends_with_its_first_end_token() -> None:
    sample = cut_at_stop([4, 2, 7], [-1.0, -0.5, -9.0], [-1.0, -0.25, -9.0], frozenset({2}))
    assert (sample.token_ids, sample.logps, sample.sampled_logps, sample.finished) == (
        (4, 2),
        (-1.0, -0.5),
        (-1.0, -0.25),
        True,
    )
    assert sample.logp == -1.5
    assert not cut_at_stop([4, 7], [-1.0, -1.0], None, frozenset({2})).finished


def test_probabilities_that_are_no_numbers_stop_with_one_sentence() -> None:
    with pytest.raises(UserError, match="not numbers"):
        cut_at_stop([4], [math.nan], [math.nan], frozenset({2}))


def test_room_for_new_tokens() -> None:
    """The last token that is written takes no position: after 60 of 64, tokens 61 … 64 are read and a 65th written."""
    assert longest(60, Decoding(max_new_tokens=9), 64) == 5
    assert longest(60, Decoding(max_new_tokens=3), 64) == 3
    assert longest(60, Decoding(max_new_tokens=9), None) == 9


# Settings


def test_settings_name_what_decides_the_text_and_nothing_else() -> None:
    assert Decoding("greedy", temperature=0.3, max_new_tokens=9).settings() == {"kind": "greedy", "max_new_tokens": 9}
    assert Decoding("temperature", temperature=0.7).settings() == {
        "kind": "temperature",
        "max_new_tokens": 128,
        "temperature": 0.7,
    }
    beam = Decoding("beam", num_beams=4, length_penalty=0.8, no_repeat_ngram_size=3, min_new_tokens=5).settings()
    assert (
        json.loads(json.dumps(beam))
        == beam
        == {
            "kind": "beam",
            "max_new_tokens": 128,
            "num_beams": 4,
            "length_penalty": 0.8,
            "min_new_tokens": 5,
            "no_repeat_ngram_size": 3,
        }
    )


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"kind": "nucleus"}, "greedy, temperature, top-p, beam, diverse-beam"),
        ({"temperature": 0.0}, "ask for greedy"),
        ({"temperature": math.nan}, "temperature above 0"),
        ({"top_p": 0.0}, "probability"),
        ({"top_p": 1.5}, "probability"),
        ({"num_beams": 0}, "at least 1"),
        ({"kind": "beam", "num_beams": 2, "length_penalty": math.nan}, "finite number"),
        ({"max_new_tokens": 2.5}, "whole number"),
        ({"max_new_tokens": 4, "min_new_tokens": 5}, "at most max_new_tokens"),
    ],
)
def test_senseless_settings_are_refused(wrong: dict[str, object], what: str) -> None:
    with pytest.raises(BadInput, match=what):
        Decoding(**wrong)  # type: ignore[arg-type]
