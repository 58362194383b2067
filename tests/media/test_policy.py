"""The target of the delay: literal numbers in, literal numbers out; compiled and plain alike. 8 samples are a ms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.jitter.policy import Target
from media.jitter.policy_ref import Policy

RATE = 8000
FRAME = 160
ARRIVALS = st.lists(st.tuples(st.integers(0, 8000), st.integers(-300, 6000), st.integers(0, 3)), max_size=300)


def after(delays_ms: list[int], lost: int = 0, policy: Policy | Target | None = None) -> float:
    """The target in ms after packets of 20 ms that were so late."""
    policy = policy or Target(RATE)
    for number, delay in enumerate(delays_ms):
        policy.arrived(8 * delay + 1000, FRAME * number, lost)
    return policy.target / 8


@given(ARRIVALS, st.sampled_from((8000, 16000, 48000)))
def test_both_aim_at_the_same(arrivals: list[tuple[int, int, int]], rate: int) -> None:
    compiled, plain, now = Target(rate), Policy(rate), 0
    for later, transit, lost in arrivals:
        now += later
        assert compiled.arrived(transit, now, lost) == plain.arrived(transit, now, lost)
        assert compiled.fastest == plain.fastest
        if transit == 0:
            compiled.restart()
            plain.restart()


@pytest.mark.parametrize("policy", [Target, Policy])
def test_an_unknown_network_is_expected_to_need_44_ms(policy: type[Target]) -> None:
    assert policy(RATE).target == 44 * 8


@pytest.mark.parametrize(
    ("delays", "target"),
    [
        ([0] * 500, 8),
        ([0, 39] * 250, 40),
        ([0, 40] * 250, 44),  # buckets of 4 ms
        ([0] * 900 + [200] * 6, 8),  # 6 in 400 need not be waited for
        ([0] * 900 + [200] * 7, 204),
        ([0] * 900 + [200] * 7 + [0] * 100, 8),  # and are forgotten
        ([0, 39] * 200 + [0] * 1400, 8),
        ([0, 900] * 250, 400),
    ],
)
def test_the_target_is_what_all_but_few_packets_of_late_needed(delays: list[int], target: int) -> None:
    assert after(delays) == target


def test_where_packets_get_lost_the_one_behind_a_gap_is_waited_for() -> None:
    assert after([0, 39] * 250, lost=1) == 40
    policy = Target(RATE)
    assert after([0] * 500, lost=1, policy=policy) == 24
    assert after([0] * 400, policy=policy) == 24
    assert after([0] * 200, policy=policy) == 8  # less than one in a hundred


def test_the_fastest_packet_of_some_seconds_is_the_yardstick_so_that_drift_is_no_delay() -> None:
    policy = Target(RATE)
    for number in range(3000):  # a minute, 300 ppm: the sender's clock is slower
        policy.arrived(number * FRAME * 300 // 1_000_000, FRAME * number)
        assert policy.target <= 44 * 8
    assert policy.target == 8 * 8
    assert policy.fastest >= (2999 * FRAME - 8 * RATE) * 300 // 1_000_000


def test_a_new_beginning_measures_anew_and_remembers_the_network() -> None:
    policy = Target(RATE)
    after([0, 39] * 250, policy=policy)
    policy.restart()
    policy.arrived(-(10**9), 0)
    assert policy.fastest == -(10**9)
    assert policy.target == 40 * 8
