"""How long validation may take at worst, from the definition alone.

A subschema is followed to every subschema that it applies, and counted as often as
alternatives lead to it: the counts at depth d say how often each one may look at one
value d levels below the root. Different names of `properties` look at different values,
so of them the largest counts; everything else adds up.
"""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from undercroft.entities.definitions import BELOW, HERE, NAMED, Outline, Subschema
from undercroft.errors import InvalidInput, LimitReached

MAX_DEPTH = 64
MAX_STEPS = 100_000
"""Steps on one value at most, down to the fourth level: doubling alternatives exceed it soon."""

MAX_EFFORT = 20_000
"""Edges followed by the estimate itself; what is deeper by then counts as endless."""

ENDLESS = 1e15

Counts: TypeAlias = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Upper bounds for one value, by the depth of the data; the last holds for all deeper data."""

    steps: tuple[float, ...]
    """Looks at one value."""
    states: tuple[float, ...]
    """Steps of pattern automata for each byte of text."""

    def nanoseconds(self, *, values: int, size: int, depth: int) -> float:
        """At worst, for data of that many values, bytes and levels.

        Measured: 20 to 90 ns a step, 7 ns a state and byte when an automaton thrashes.
        """
        at = min(depth, len(self.steps) - 1)
        return values * self.steps[at] * 100 + size * self.states[at] * 8


def estimate(outline: Outline) -> Cost:
    """The cost of validating with a definition.

    Raises:
        InvalidInput: A $ref leads back to itself without going a level down.
        LimitReached: Alternatives multiply beyond measure.

    """
    graph = _Graph(outline.subschemas)
    counts = graph.spread({"": 1.0})
    steps, states = [0.0], [0.0]
    while counts and len(steps) <= MAX_DEPTH:
        total, size = graph.totals(counts)
        if total > MAX_STEPS and len(steps) <= 4:  # noqa: PLR2004 - see MAX_STEPS
            raise LimitReached(
                "The schema's alternatives multiply: checking one value could take forever.",
                hint="Nest fewer anyOf, oneOf and allOf.",
            )
        steps.append(max(total, steps[-1]))
        states.append(max(size, states[-1]))
        if total >= ENDLESS:
            break
        below = graph.descend(counts)
        if below == counts:
            break
        counts = below
    return Cost(steps=tuple(steps[1:]), states=tuple(states[1:]))


class _Graph:
    """Which subschema applies which, and the counts that follow."""

    def __init__(self, nodes: Mapping[str, Subschema]) -> None:
        self._nodes = nodes
        self._rank = {pointer: place for place, pointer in enumerate(_order(nodes))}
        self._effort = 0

    def totals(self, counts: Counts) -> tuple[float, float]:
        """Steps and pattern states for one value with these counts."""
        if self._effort > MAX_EFFORT:
            return ENDLESS, ENDLESS
        steps = sum(seen * self._nodes[pointer].weight for pointer, seen in counts.items())
        states = sum(seen * self._nodes[pointer].states for pointer, seen in counts.items())
        return min(steps, ENDLESS), min(states, ENDLESS)

    def spread(self, counts: Counts) -> Counts:
        """Follow the subschemas that look at the same value."""
        spread = dict(counts)
        queue = [(self._rank[pointer], pointer) for pointer in counts]
        heapq.heapify(queue)
        while queue and self._effort <= MAX_EFFORT:
            _, pointer = heapq.heappop(queue)
            for where, _, target in self._nodes[pointer].edges:
                self._effort += 1
                if where == HERE:
                    if target not in spread:
                        spread[target] = 0.0
                        heapq.heappush(queue, (self._rank[target], target))
                    spread[target] = min(spread[target] + spread[pointer], ENDLESS)
        return spread

    def descend(self, counts: Counts) -> Counts:
        """How often each subschema may look at one value a level down."""
        anywhere: Counts = {}
        named: dict[str, Counts] = {}
        for pointer, seen in counts.items():
            for where, name, target in self._nodes[pointer].edges:
                self._effort += 1
                if where == BELOW:
                    anywhere[target] = seen
                elif where == NAMED:
                    named.setdefault(name, {})[target] = seen
        largest: Counts = {}
        for one in named.values():
            for target, seen in self.spread(one).items():
                largest[target] = max(largest.get(target, 0.0), seen)
        for target, seen in self.spread(anywhere).items():
            largest[target] = largest.get(target, 0.0) + seen
        return largest


def _order(nodes: Mapping[str, Subschema]) -> list[str]:
    """The subschemas so that each stands after those that apply it to the same value."""
    waiting: Counter[str] = Counter()
    for node in nodes.values():
        waiting.update(target for where, _, target in node.edges if where == HERE)
    ready = [pointer for pointer in nodes if not waiting[pointer]]
    order: list[str] = []
    while ready:
        pointer = ready.pop()
        order.append(pointer)
        for where, _, target in nodes[pointer].edges:
            if where == HERE:
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
    if len(order) < len(nodes):
        raise InvalidInput(
            "A $ref leads back to itself without going a level down.",
            hint="Put a property or items between a schema and its own $ref.",
        )
    return order
