"""Slow and obvious twins of what the product computes, written from the papers; they import nothing of it.

Points are tuples of numbers. A tree is a `Leaf` or a `Node`, and everything about it is computed from its points
when it is asked for.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# --- Random Cut Forest: Guha, Mishra, Roy, Schrijvers (ICML 2016) and the streaming implementation by AWS ---

Point = tuple[float, ...]


@dataclass
class Leaf:
    """A point and how often the tree holds it."""

    point: Point
    mass: int = 1

    def points(self) -> list[Point]:
        return [self.point] * self.mass


@dataclass
class Node:
    """A cut: points with `point[column] <= cut` are on the left."""

    column: int
    cut: float
    left: "Leaf | Node"
    right: "Leaf | Node"

    def points(self) -> list[Point]:
        return self.left.points() + self.right.points()

    def child(self, point: Point) -> "Leaf | Node":
        return self.left if point[self.column] <= self.cut else self.right


Tree = Leaf | Node


def sides(points: Sequence[Point]) -> list[float]:
    """Side lengths of the bounding box."""
    return [max(column) - min(column) for column in zip(*points, strict=True)]


def overhangs(points: Sequence[Point], query: Point) -> list[tuple[float, float]]:
    """How far the query is above and below the bounding box, by column."""
    columns = zip(zip(*points, strict=True), query, strict=True)
    return [(max(0, x - max(values)), max(0, min(values) - x)) for values, x in columns]


def separation(points: Sequence[Point], query: Point) -> float:
    """Probability that a random cut of the box of points and query separates the query."""
    outside = sum(high + low for high, low in overhangs(points, query))
    return outside / (outside + sum(sides(points))) if outside else 0.0


def expected_inverse_depth(tree: Tree, query: Point, depth: int, size: int) -> float:
    """Score of a tree before it is scaled by log2(size + 1)."""
    if isinstance(tree, Leaf):
        if tree.point == query:
            return (1 - tree.mass / (2 * size)) / (depth + math.log2(tree.mass + 1))
        return 1 / (depth + 1)
    chance = separation(tree.points(), query)
    below = expected_inverse_depth(tree.child(query), query, depth + 1, size)
    return chance / (depth + 1) + (1 - chance) * below


def score(trees: Sequence[Tree], query: Point) -> float:
    """Anomaly score of a forest whose trees have equally many points."""
    size = len(trees[0].points())
    total = sum(expected_inverse_depth(tree, query, 0, size) for tree in trees)
    return total / len(trees) * math.log2(size + 1)


def attribute_tree(tree: Tree, query: Point, depth: int, size: int) -> tuple[list[float], float, list[Point]]:
    """Parts of a tree's score, high columns then low ones; the score if a leaf is equal; the points measured."""
    if isinstance(tree, Leaf):
        if tree.point == query:
            seen = expected_inverse_depth(tree, query, depth, size)
            return [seen / (2 * len(query))] * (2 * len(query)), seen, []
        return split([tree.point], query, 1.0, depth), 0.0, [tree.point]
    child = tree.child(query)
    parts, seen, box = attribute_tree(child, query, depth + 1, size)
    box = box + (tree.right if child is tree.left else tree.left).points()
    chance = separation(box, query)
    fresh = split(box, query, chance, depth)
    return [(1 - chance) * old + new for old, new in zip(parts, fresh, strict=True)], seen, box


def split(points: Sequence[Point], query: Point, chance: float, depth: int) -> list[float]:
    """Share of `chance / (depth + 1)` of each column, above and below."""
    outside = overhangs(points, query)
    total = sum(high + low for high, low in outside)
    if not total:
        return [0.0] * (2 * len(query))
    parts = [high for high, _ in outside] + [low for _, low in outside]
    return [chance / (depth + 1) * part / total for part in parts]


def attribution(trees: Sequence[Tree], query: Point) -> tuple[list[float], list[float]]:
    """High and low part of each column in the score."""
    size = len(trees[0].points())
    sums = [0.0] * (2 * len(query))
    for tree in trees:
        parts, seen, _ = attribute_tree(tree, query, 0, size)
        scale = seen / sum(parts) if seen else 1.0
        sums = [total + scale * part for total, part in zip(sums, parts, strict=True)]
    scaled = [total / len(trees) * math.log2(size + 1) for total in sums]
    return scaled[: len(query)], scaled[len(query) :]


def nearest(tree: Tree, query: Point, missing: set[int], depth: int) -> tuple[float, Point]:
    """Rank and point of the best leaf when some columns of the query are missing."""
    if isinstance(tree, Leaf):
        if any(a != b for i, (a, b) in enumerate(zip(tree.point, query, strict=True)) if i not in missing):
            return 1 / (depth + 1), tree.point
        return (1 / (depth + math.log2(tree.mass + 1)) if depth else 0.0), tree.point
    if tree.column in missing:
        both = [nearest(child, query, missing, depth + 1) for child in (tree.left, tree.right)]
        rank, point = min(both, key=lambda found: found[0])
    else:
        rank, point = nearest(tree.child(query), query, missing, depth + 1)
    outside = sum(h + low for i, (h, low) in enumerate(overhangs(tree.points(), query)) if i not in missing)
    chance = outside / (outside + sum(sides(tree.points()))) if outside else 0.0
    return chance / (depth + 1) + (1 - chance) * rank, point


def impute(trees: Sequence[Tree], query: Point, missing: set[int]) -> Point:
    """Query with the missing columns replaced by the (lower) median of what the trees propose."""
    found = [nearest(tree, query, missing, 0)[1] for tree in trees]
    middle = [sorted(values)[(len(trees) - 1) // 2] for values in zip(*found, strict=True)]
    return tuple(middle[i] if i in missing else x for i, x in enumerate(query))


def random_cut(points: Sequence[Point], rng: random.Random) -> tuple[int, float]:
    """Column with probability proportional to its side, cut uniform on the side."""
    lengths = sides(points)
    column = rng.choices(range(len(lengths)), lengths)[0]
    low = min(point[column] for point in points)
    return column, low + rng.random() * lengths[column]


def insert(tree: Tree, point: Point, rng: random.Random) -> Tree:
    """Insert top-down: cut the box of all points and the new one until a cut separates the new one."""
    if isinstance(tree, Leaf) and tree.point == point:
        return Leaf(point, tree.mass + 1)
    members = tree.points()
    column, cut = random_cut([*members, point], rng)
    if all(member[column] <= cut for member in members) and point[column] > cut:
        return Node(column, cut, tree, Leaf(point))
    if all(member[column] > cut for member in members) and point[column] <= cut:
        return Node(column, cut, Leaf(point), tree)
    if isinstance(tree, Leaf):
        return insert(tree, point, rng)
    if point[tree.column] <= tree.cut:
        return Node(tree.column, tree.cut, insert(tree.left, point, rng), tree.right)
    return Node(tree.column, tree.cut, tree.left, insert(tree.right, point, rng))


def delete(tree: Tree, point: Point) -> Tree:
    """Take one copy of a point out; a leaf that is used up is replaced, with its parent, by its sibling."""
    if isinstance(tree, Leaf):
        return Leaf(tree.point, tree.mass - 1)
    child = tree.child(point)
    other = tree.right if child is tree.left else tree.left
    if isinstance(child, Leaf) and child.mass == 1:
        return other
    shrunk = delete(child, point)
    if child is tree.left:
        return Node(tree.column, tree.cut, shrunk, other)
    return Node(tree.column, tree.cut, other, shrunk)


@dataclass
class Sampler:
    """Weighted reservoir of the points with the smallest keys ln(-ln u) - decay * t."""

    size: int
    decay: float
    rng: random.Random
    kept: list[tuple[float, Any]] = field(default_factory=list)
    seen: int = 0

    def offer(self, item: Any) -> tuple[bool, Any]:
        """Offer the next item: whether it is taken, and which one it drives out, if any."""
        key = math.log(-math.log(1 - self.rng.random())) - self.decay * self.seen
        self.seen += 1
        if len(self.kept) < self.size:
            self.kept.append((key, item))
            return True, None
        top = max(self.kept, key=lambda pair: pair[0])
        if key >= top[0]:
            return False, None
        self.kept.remove(top)
        self.kept.append((key, item))
        return True, top[1]


@dataclass
class Forest:
    """A streaming forest: every tree has a sampler, and holds what the sampler keeps."""

    n_trees: int
    size: int
    decay: float
    rng: random.Random
    trees: list[Tree] = field(default_factory=list)
    samplers: list[Sampler] = field(default_factory=list)

    def score_and_update(self, point: Point) -> float:
        if not self.trees:
            self.samplers = [Sampler(self.size, self.decay, self.rng) for _ in range(self.n_trees)]
            for sampler in self.samplers:
                sampler.offer(point)
            self.trees = [Leaf(point) for _ in range(self.n_trees)]
            return 0.0
        before = score(self.trees, point)
        for index, sampler in enumerate(self.samplers):
            taken, old = sampler.offer(point)
            if taken:
                tree = insert(self.trees[index], point, self.rng)
                self.trees[index] = delete(tree, old) if old is not None else tree
        return before
