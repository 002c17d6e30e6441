"""A forest that answers more than the service asks: how dense, how deep, what is near, and the score without masking.

For people who look into a model, and for tests of the trees themselves. Knows numbers only.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detector.forest.forest import Attribution, Floats, RandomCutForest, Singles
from detector.forest.kernels.approximate import approximate_many
from detector.forest.kernels.density import look_around_many
from detector.forest.kernels.displacement import displace_many
from detector.forest.kernels.mask import attribute_masked_many
from detector.forest.kernels.neighbours import reach

DENSITY_FLOOR = 0.001
"""Share of the mass that is added to the volume, so that no density is infinite."""


class Approximation(NamedTuple):
    """Scores from some of the trees.

    Attributes
    ----------
    scores
        Float64, shape (n_points,).
    n_trees
        Trees that were asked, int64, shape (n_points,).
    """

    scores: Floats
    n_trees: NDArray[np.int64]


class Masked(NamedTuple):
    """Scores without the leaves that would mask an anomaly.

    Attributes
    ----------
    scores
        Float64, shape (n_points,).
    attribution
        Their parts, which sum to them.
    """

    scores: Floats
    attribution: Attribution


class Depth(NamedTuple):
    """Where points would come to lie, float64, shape (n_points,) each.

    Attributes
    ----------
    displacement
        Expected number of points beside the query where it splits off.
    height
        Expected depth at which it does.
    """

    displacement: Floats
    height: Floats


class Density(NamedTuple):
    """What lies around points, float64; directions are those in which the *query* lies, as seen from its neighbours.

    Attributes
    ----------
    density
        Points per volume as a share of the sample, shape (n_points,).
    high, low
        Share of the density owed to neighbours that the point is above, or below, shape (n_points, n_columns).
        They sum to the density.
    distance
        Mean distance to the far side of the neighbours in a column, in the unit of the points, given that the
        point is separated in this column; 0 where it never is. Shape (n_points, n_columns).
    probability
        Probability that it is separated in this column, shape (n_points, n_columns).
    """

    density: Floats
    high: Floats
    low: Floats
    distance: Floats
    probability: Floats


class Neighbours(NamedTuple):
    """Points near a query, the nearest first.

    Attributes
    ----------
    points
        As the trees hold them, float32, shape (n_neighbours, n_columns).
    distances
        Euclidean, float64, shape (n_neighbours,).
    n_trees
        Trees in which the query ends at the point, int64, shape (n_neighbours,).
    """

    points: Singles
    distances: Floats
    n_trees: NDArray[np.int64]


class InspectedForest(RandomCutForest):
    """A `RandomCutForest` with more questions; none of them changes a model. Slots and points as in `score`."""

    def approximate_score(self, slots: ArrayLike, points: ArrayLike, precision: float = 0.1) -> Approximation:
        """Score points with as few trees as it takes: 1 / precision of them must stand out.

        Parameters
        ----------
        precision
            Above 0, up to 1; the smaller, the more trees are asked.

        Raises
        ------
        ValueError
            If it is outside its limits, or as in `score`.
        """
        if not 0.0 < precision <= 1.0:
            msg = f"`precision` must be above 0 and at most 1, got {precision}"
            raise ValueError(msg)
        where, rows = self._checked(slots, points)
        found = Approximation(np.empty(len(where)), np.empty(len(where), dtype=np.int64))
        n_witnesses = min(int(np.ceil(1.0 / precision)), self.shape.n_trees + 1)
        approximate_many(self._state, where, rows, n_witnesses, *found)
        return found

    def masked_score(self, slots: ArrayLike, points: ArrayLike, ignored_mass: int = 1) -> Masked:
        """Score points as if the leaf nearest to each were not there, unless it holds more than `ignored_mass` points.

        It finds the second of two like anomalies when the first is in the sample.

        Raises
        ------
        ValueError
            If `ignored_mass` is not at least 1, or as in `score`.
        """
        if ignored_mass < 1:
            msg = f"`ignored_mass` must be at least 1, got {ignored_mass}"
            raise ValueError(msg)
        where, rows = self._checked(slots, points)
        scores = np.empty(len(where))
        parts = Attribution(np.empty(rows.shape), np.empty(rows.shape))
        attribute_masked_many(self._state, where, rows, ignored_mass, scores, *parts)
        return Masked(scores, parts)

    def depth(self, slots: ArrayLike, points: ArrayLike) -> Depth:
        """Say how much of its tree a point would displace, and how deep it would come to lie."""
        where, rows = self._checked(slots, points)
        found = Depth(np.empty(len(where)), np.empty(len(where)))
        displace_many(self._state, where, rows, *found)
        return found

    def density(self, slots: ArrayLike, points: ArrayLike, n_dimensions: int | None = None) -> Density:
        """Estimate how densely points lie around a point, and in which directions.

        Parameters
        ----------
        n_dimensions
            Dimensions of the surface on which the points lie, at least 1; by default the number of columns.

        Raises
        ------
        ValueError
            If `n_dimensions` is not at least 1, or as in `score`.

        Notes
        -----
        `m / (0.001 m + sum over columns of p_i d_i ** q)`: m is the mass beside the point as a share of the sample,
        p_i the probability that it is separated in column i, d_i the mean distance then, q the dimensions. As in the
        implementation by AWS, which has no density before a sample is full; here it is a share of the points there are.
        """
        if n_dimensions is not None and n_dimensions < 1:
            msg = f"`n_dimensions` must be at least 1, got {n_dimensions}"
            raise ValueError(msg)
        where, rows = self._checked(slots, points)
        sides = (len(where), 2, rows.shape[1])
        probability, mass, distance = np.empty(sides), np.empty(sides), np.empty(sides)
        look_around_many(self._state, where, rows, probability, mass, distance)
        held = np.maximum(np.minimum(self.seen[where], self.shape.sample_size), 1)
        chance, total = probability.sum(axis=1), mass.sum(axis=(1, 2))
        mean = _ratio(distance.sum(axis=1), chance)
        volume = (chance * mean ** (n_dimensions or rows.shape[1])).sum(axis=1)
        density = _ratio(total / held, DENSITY_FLOOR * total / held + volume)
        parts = mass * _ratio(density, total)[:, np.newaxis, np.newaxis]
        return Density(density, parts[:, 0], parts[:, 1], mean, chance)

    def neighbours(self, slot: int, point: ArrayLike, distance: float) -> Neighbours:
        """Return the points of one model at which a query ends, if they are nearer than `distance`.

        Parameters
        ----------
        slot
            Which model.
        point
            Numbers, shape (n_columns,), finite.
        distance
            Euclidean, in the unit of the points, above 0.

        Raises
        ------
        ValueError
            If `distance` is not above 0, or as in `score`.
        """
        if not distance > 0.0:
            msg = f"`distance` must be above 0, got {distance}"
            raise ValueError(msg)
        where, rows = self._checked([slot], np.asarray(point)[np.newaxis])
        n_found = self.shape.n_trees if self.seen[where[0]] else 0
        points, distances = np.empty((n_found, rows.shape[1]), dtype=np.float32), np.empty(n_found)
        if n_found:
            reach(self._state, where[0], rows[0], points, distances)
        near = distances < distance
        unique, first, counts = np.unique(points[near], axis=0, return_index=True, return_counts=True)
        order = np.argsort(distances[near][first], kind="stable")
        return Neighbours(unique[order], distances[near][first][order], counts[order])


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Divide; nothing of nothing is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
