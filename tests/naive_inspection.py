"""Slow and obvious twins of what a forest can be asked besides its score; they import nothing of the product.

Written from the paper (displacement) and the definitions of the AWS implementation's visitors. Points are tuples.
"""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from naive import Leaf, Node, Point, Tree, expected_inverse_depth, overhangs, separation, sides, split


def sibling(node: Node, child: Tree) -> Tree:
    return node.right if child is node.left else node.left


def walk(
    tree: Tree,
    query: Point,
    seen: Callable[[int, int], float],
    unseen: Callable[[int, int], float],
    depth: int = 0,
) -> float:
    """Run the score's recursion with any two terms of depth and mass."""
    mass = len(tree.points())
    if isinstance(tree, Leaf):
        return seen(depth, mass) if tree.point == query else unseen(depth, mass)
    chance = separation(tree.points(), query)
    return chance * unseen(depth, mass) + (1 - chance) * walk(
        tree.child(query), query, seen, unseen, depth + 1
    )


def displacement(trees: Sequence[Tree], query: Point) -> float:
    """Mean number of points beside the query where it splits off."""
    return statistics.fmean(walk(tree, query, lambda _d, _m: 1.0, lambda _, mass: mass) for tree in trees)


def height(trees: Sequence[Tree], query: Point) -> float:
    """Mean depth at which it splits off; equal points count as their logarithm."""
    return statistics.fmean(
        walk(tree, query, lambda depth, mass: depth + math.log2(mass), lambda depth, _: depth)
        for tree in trees
    )


def masked_tree(
    tree: Tree, query: Point, ignored: int, depth: int, size: int
) -> tuple[float, list[float], list[Point], bool]:
    """Score and parts without the leaf of the path; the points measured so far; whether a large leaf is equal."""
    if isinstance(tree, Leaf):
        is_equal = tree.point == query
        if is_equal and tree.mass > ignored:
            value = expected_inverse_depth(tree, query, depth, size)
            return value, [value / (2 * len(query))] * (2 * len(query)), [], True
        value = 1 / (depth + 1)
        even = [value / (2 * len(query))] * (2 * len(query))
        small = is_equal or tree.mass <= ignored
        return value, even if small else split([tree.point], query, 1.0, depth), [], False
    child = tree.child(query)
    value, parts, box, is_final = masked_tree(child, query, ignored, depth + 1, size)
    box = box + sibling(tree, child).points()
    chance = separation(box, query)
    fresh = split(box, query, chance, depth)
    parts = [(1 - chance) * old + new for old, new in zip(parts, fresh, strict=True)]
    return value if is_final else chance / (depth + 1) + (1 - chance) * value, parts, box, is_final


def masked(trees: Sequence[Tree], query: Point, ignored: int) -> tuple[float, list[float], list[float]]:
    """Masked score of a forest, and its high and low parts."""
    size = len(trees[0].points())
    total, sums = 0.0, [0.0] * (2 * len(query))
    for tree in trees:
        value, parts, _, _ = masked_tree(tree, query, ignored, 0, size)
        total += value
        sums = [old + value / sum(parts) * part for old, part in zip(sums, parts, strict=True)]
    scale = math.log2(size + 1) / len(trees)
    return scale * total, [scale * x for x in sums[: len(query)]], [scale * x for x in sums[len(query) :]]


Triples = list[tuple[float, float, float]]
"""Probability, mass and distance, of each column above, then of each column below."""


def mixed(below: Triples, box: Sequence[Point], query: Point, mass: float) -> Triples:
    """Mix what a box gives into what was found below it."""
    outside, lengths = overhangs(box, query), sides(box)
    gaps = [high for high, _ in outside] + [low for _, low in outside]
    total = sum(gaps) + sum(lengths)
    keep = 1 - sum(gaps) / total
    fresh = [
        (gap / total, gap / total * mass, gap / total * (gap + side))
        for gap, side in zip(gaps, lengths * 2, strict=True)
    ]
    return [
        (keep * old[0] + new[0], keep * old[1] + new[1], keep * old[2] + new[2])
        for old, new in zip(below, fresh, strict=True)
    ]


def around_tree(tree: Tree, query: Point) -> tuple[Triples, float, list[Point], bool]:
    """Triples of a tree; the query's mass with its copies; the points measured; whether a leaf is equal."""
    nothing: Triples = [(0.0, 0.0, 0.0)] * (2 * len(query))
    if isinstance(tree, Leaf):
        if tree.point == query:
            share = 0.5 / len(query)
            return [(share, share * (1 + tree.mass), 0.0)] * (2 * len(query)), 1.0 + tree.mass, [], True
        return mixed(nothing, [tree.point], query, tree.mass + 1), 1.0, [tree.point], False
    child = tree.child(query)
    below, own, box, is_equal = around_tree(child, query)
    box = box + sibling(tree, child).points()
    if separation(box, query) == 0:
        return below, own, box, is_equal
    return mixed(below, box, query, len(tree.points()) + own), own, box, is_equal


def around(trees: Sequence[Tree], query: Point) -> list[list[float]]:
    """Mean over trees: three rows, probability, mass and distance; above by column, then below."""
    found = [around_tree(tree, query)[0] for tree in trees]
    return [
        [statistics.fmean(triples[place][kind] for triples in found) for place in range(2 * len(query))]
        for kind in range(3)
    ]


def density(trees: Sequence[Tree], query: Point, dimensions: int) -> float:
    """Points per volume, as a share of the points a tree holds."""
    probability, mass, distance = around(trees, query)
    n = len(query)
    chances = [probability[i] + probability[n + i] for i in range(n)]
    reaches = [distance[i] + distance[n + i] for i in range(n)]
    volume = sum(p * (d / p) ** dimensions for p, d in zip(chances, reaches, strict=True) if p > 0)
    share = sum(mass) / len(trees[0].points())
    return share / (0.001 * share + volume)


def ending_leaf(tree: Tree, query: Point) -> Point:
    return tree.point if isinstance(tree, Leaf) else ending_leaf(tree.child(query), query)


def neighbours(trees: Sequence[Tree], query: Point, limit: float) -> list[tuple[float, Point, int]]:
    """Distance, point and number of trees that end there, nearest first."""
    counts = Counter(ending_leaf(tree, query) for tree in trees)
    found = [(math.dist(point, query), point, count) for point, count in counts.items()]
    return sorted(one for one in found if one[0] < limit)


def approximate(trees: Sequence[Tree], query: Point, witnesses: int) -> tuple[float, int]:
    """Mean score of the first trees, until so many of them lie above the mean by half a deviation."""
    size = len(trees[0].points())
    values = [expected_inverse_depth(tree, query, 0, size) * math.log2(size + 1) for tree in trees]
    found = 0
    for used in range(1, len(values) + 1):
        past = values[:used]
        if used >= 5 and past[-1] - statistics.fmean(past) + 1e-6 > 0.5 * statistics.stdev(past):
            found += 1
        if found == witnesses:
            return statistics.fmean(past), used
    return statistics.fmean(values), len(values)
