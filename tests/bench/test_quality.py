"""What speech is worth after bad networks (P.862), in fewer runs than `make bench` makes; and those networks."""

from itertools import pairwise

import pytest

from bench.quality import speech
from bench.quality.network import Network
from bench.quality.run import BURSTS, CLEAN, RANDOM, THROUGH, Case, measure, measure_through

RUNS, SECONDS = 4, 5.0


@pytest.mark.skipif(not speech.phrases(), reason="no recorded speech: install asterisk-core-sounds-en-g722")
@pytest.mark.parametrize("case", [CLEAN, RANDOM, BURSTS], ids=lambda case: case.id)
def test_speech_is_worth_what_the_targets_say(case: Case) -> None:
    result = measure(case, RUNS, SECONDS)
    assert result.meets(case), result


@pytest.mark.real_loop
@pytest.mark.skipif(not speech.phrases(), reason="no recorded speech: install asterisk-core-sounds-en-g722")
def test_speech_goes_through_a_running_engine() -> None:
    relayed, mixed = (measure_through(case, 2, 3.0) for case in THROUGH[:2])
    assert relayed.mos > 4.2
    assert relayed.most_ms == 0
    assert mixed.mos > 3.5, "a busy machine adds jitter of its own"
    assert 20 < mixed.median_ms < 300


def test_the_same_seed_is_the_same_network() -> None:
    network = Network(0.1, 3, 40, 100, 0.05)
    assert network.arrivals(500, 20, 1) == network.arrivals(500, 20, 1) != network.arrivals(500, 20, 2)


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 1.0), (0.1, 3.0), (0.2, 4.0)])
def test_so_much_is_lost_in_bursts_of_such_a_length(loss: float, burst: float) -> None:
    there = {number for _, number in Network(loss, burst).arrivals(50_000, 20, 7)}
    missing = [number not in there for number in range(50_000)]
    begins = sum(now and not before for before, now in pairwise(missing))
    assert sum(missing) / 50_000 == pytest.approx(loss, rel=0.1)
    assert sum(missing) / begins == pytest.approx(max(burst, 1 / (1 - loss)), rel=0.1)


def test_packets_wait_up_to_the_jitter_and_keep_their_order_but_for_those_that_are_overtaken() -> None:
    arrivals = Network(jitter_ms=50).arrivals(2000, 20, 3)
    waits = [at - 20 * number for at, number in arrivals]
    assert [number for _, number in arrivals] == list(range(2000))
    assert 0 <= min(waits) < 1
    assert 49 < max(waits) <= 50
    numbers = [number for _, number in Network(reorder=0.1).arrivals(2000, 20, 3)]
    assert 150 < sum(later < one for one, later in pairwise(numbers)) < 250


def test_a_slow_clock_sends_later_and_later() -> None:
    assert Network(drift_ppm=100).arrivals(50_001, 20, 1)[-1][0] == pytest.approx(1_000_100)
