"""Figures for Prometheus (SYS-16): every number of `zvon status`, and calls, queues and lines with labels."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pbx.control.messages import GetLines, GetQueues, GetStatus, LineView, QueueView
from web.core import Core

_ODD = re.compile(r"[^a-zA-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Figures:
    """What the server says of itself at one moment."""

    status: Mapping[str, Any]
    queues: Iterable[QueueView]
    lines: Iterable[LineView]


async def figures_of(core: Core) -> Figures:
    return Figures(
        await core.ask(GetStatus(), dict[str, Any]),
        await core.ask(GetQueues(), list[QueueView]),
        await core.ask(GetLines(), list[LineView]),
    )


def exposition(figures: Figures) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(figures))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in sorted(dict(_numbers(self._figures.status)).items()):
            yield GaugeMetricFamily(name, "As in zvon status.", value)
        yield from _of_queues(self._figures.queues)
        yield from _of_lines(self._figures.lines)


def _numbers(values: Mapping[str, Any], path: str = "zvon") -> Iterator[tuple[str, float]]:
    """Every number in a tree, named by its path."""
    for name, value in values.items():
        whole = f"{path}_{_ODD.sub('_', str(name)).strip('_')}"
        if isinstance(value, Mapping):
            yield from _numbers(value, whole)
        elif isinstance(value, bool | int | float):
            yield whole, float(value)


def _of_queues(queues: Iterable[QueueView]) -> Iterator[GaugeMetricFamily]:
    waiting = GaugeMetricFamily("zvon_queue_waiting", "Callers who wait in a queue.", labels=["queue"])
    agents = GaugeMetricFamily("zvon_queue_agents", "Agents of a queue by state.", labels=["queue", "state"])
    for queue in queues:
        waiting.add_metric([queue.number], len(queue.waiting))
        for state in sorted({agent.state for agent in queue.agents}):
            agents.add_metric([queue.number, state], sum(agent.state == state for agent in queue.agents))
    yield waiting
    yield agents


def _of_lines(lines: Iterable[LineView]) -> Iterator[GaugeMetricFamily]:
    up = GaugeMetricFamily("zvon_line_up", "1: the line to a provider works.", labels=["line", "state"])
    for line in lines:
        up.add_metric([line.id, line.state], float(line.state in ("registered", "reachable")))
    yield up
