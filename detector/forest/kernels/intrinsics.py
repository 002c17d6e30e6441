# ruff: noqa: ANN401, ARG001 - llvmlite has no types, and numba calls these with its own
"""What numba has no words for: vector scans, a block move, a prefetch and a load that is not aligned.

Each takes an array and the index of an element in it, counted over the whole array, which must be
C-contiguous. They do not check anything; `vector.py` and `climb.py` call them, and hold the plain function
each of them must agree with.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from detector.forest.kernels.lanes import (
    INT64,
    LEAF_FIELD,
    LOW_WORD,
    MASS_FIELD,
    call,
    element,
    load,
    measure,
    scan,
    splat,
    steps,
    sticks_out,
    store,
)

COMPARED_AT_ONCE = 64
"""Bytes that are compared with one value at once: as many as there are bits in a word."""


def _field(builder: Any, place: Any, shift: int, mask: int) -> Any:
    """Field of a place (see `node.py`), as a 64-bit integer."""
    return builder.zext(builder.and_(builder.lshr(place, place.type(shift)), place.type(mask)), INT64)


def _sibling(builder: Any, child: Any, parent: Any) -> tuple[Any, Any]:
    """First leaf and number of leaves of what a parent has beside a child."""
    first, mass = _field(builder, parent, *LEAF_FIELD), _field(builder, parent, *MASS_FIELD)
    child_first, child_mass = _field(builder, child, *LEAF_FIELD), _field(builder, child, *MASS_FIELD)
    is_left = builder.icmp_unsigned("==", first, child_first)
    behind = builder.add(first, child_mass)
    return builder.select(is_left, behind, first), builder.sub(mass, child_mass)


@intrinsic(prefer_literal=True)
def widen_lanes(
    typing: Any,
    points: Any,
    index: Any,
    count: Any,
    n_columns: Any,
    box: Any,
    query: Any,
    lane: Any,
    lanes: Any,
) -> Any:
    """`vector.widen` for the columns of one vector, which begins at column `lane` and is `lanes` wide (a literal)."""
    result = types.UniTuple(types.int64, 2)
    width = lanes.literal_value
    vector = ir.VectorType(ir.IntType(points.dtype.bitwidth), width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        points_value, index_value, count_value, columns_value, box_value, query_value, lane_value, _ = (
            arguments
        )
        byte = ir.IntType(8).as_pointer()
        first = builder.bitcast(element(context, builder, points, points_value, index_value), byte)
        row = cgutils.unpack_tuple(builder, context.make_array(box)(context, builder, box_value).shape)[1]
        low_at = element(context, builder, box, box_value, lane_value)
        high_at = element(context, builder, box, box_value, builder.add(lane_value, row))
        start = load(builder, low_at, vector), load(builder, high_at, vector)
        stride = builder.mul(columns_value, INT64(points.dtype.bitwidth // 8))
        low, high = scan(builder, first, count_value, stride, start)
        store(builder, low, low_at)
        store(builder, high, high_at)
        codes = load(builder, element(context, builder, query, query_value, lane_value), vector)
        mask_at = element(context, builder, query, query_value, builder.add(lane_value, row))
        gap = measure(builder, (low, high), steps(builder, codes), load(builder, mask_at, vector))
        overhang = builder.and_(gap, LOW_WORD)
        extent = builder.lshr(gap, INT64(32))
        return context.make_tuple(builder, signature.return_type, (overhang, extent))

    return result(points, index, count, n_columns, box, query, lane, lanes), generate


def _climb(
    builder: Any,
    base: Any,
    stride: Any,
    path_at: Any,
    step: Any,
    depth: Any,
    gaps: Any,
    query: Any,
    mask: Any,
) -> Any:
    """Body of `climb_lanes` for addresses and vectors; returns the topmost level with an overhang, -1 if none."""
    entry_place = builder.load(path_at)
    leaf = load(
        builder,
        builder.gep(base, [builder.mul(_field(builder, entry_place, *LEAF_FIELD), stride)]),
        query.type,
    )
    at = steps(builder, query)
    builder.store(measure(builder, (leaf, leaf), at, mask), builder.gep(gaps, [depth]))
    head, body, outside, done = (
        builder.append_basic_block(name) for name in ("climb", "level", "outside", "top")
    )
    entry = builder.block
    builder.cbranch(sticks_out(builder, (leaf, leaf), query, mask), head, done)
    builder.position_at_end(head)
    level, low, high = builder.phi(INT64), builder.phi(query.type), builder.phi(query.type)
    child, child_at = builder.phi(entry_place.type), builder.phi(path_at.type)
    builder.cbranch(builder.icmp_signed("==", level, INT64(0)), done, body)
    builder.position_at_end(body)
    parent_at = builder.gep(child_at, [builder.neg(step)])
    parent = builder.load(parent_at)
    first, count = _sibling(builder, child, parent)
    box = scan(builder, builder.gep(base, [builder.mul(first, stride)]), count, stride, (low, high))
    inside = builder.block
    # Asked of the codes, before anything is measured: where a path ends cannot be guessed, so the answer is urgent.
    builder.cbranch(sticks_out(builder, box, query, mask), outside, done)
    builder.position_at_end(outside)
    above = builder.sub(level, INT64(1))
    builder.store(measure(builder, box, at, mask), builder.gep(gaps, [above]))
    builder.branch(head)
    for phi, start, repeated in (
        (level, depth, above),
        (low, leaf, box[0]),
        (high, leaf, box[1]),
        (child, entry_place, parent),
        (child_at, path_at, parent_at),
    ):
        phi.add_incoming(start, entry)
        phi.add_incoming(repeated, outside)
    builder.position_at_end(done)
    top = builder.phi(INT64)
    top.add_incoming(INT64(-1), entry)
    top.add_incoming(level, head)
    top.add_incoming(level, inside)
    return top


@intrinsic(prefer_literal=True)
def climb_lanes(
    typing: Any,
    points: Any,
    index: Any,
    n_columns: Any,
    path: Any,
    place: Any,
    n_trees: Any,
    depth: Any,
    query: Any,
    gaps: Any,
    gap: Any,
    lanes: Any,
) -> Any:
    """`vector.climb` for points of at most `lanes` columns (a literal): from the element `place` of `path` upwards.

    The gaps go to the elements of `gaps` from `gap` on.
    """
    vector = ir.VectorType(ir.IntType(points.dtype.bitwidth), lanes.literal_value)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (
            points_value,
            index_value,
            columns,
            path_value,
            place_value,
            trees,
            depth_value,
            query_value,
            gaps_value,
            gap_value,
            _,
        ) = arguments
        base = builder.bitcast(
            element(context, builder, points, points_value, index_value), ir.IntType(8).as_pointer()
        )
        row = cgutils.unpack_tuple(builder, context.make_array(query)(context, builder, query_value).shape)[1]
        codes = load(builder, element(context, builder, query, query_value, INT64(0)), vector)
        mask = load(builder, element(context, builder, query, query_value, row), vector)
        path_at = element(context, builder, path, path_value, place_value)
        gaps_at = element(context, builder, gaps, gaps_value, gap_value)
        stride = builder.mul(columns, INT64(points.dtype.bitwidth // 8))
        return _climb(builder, base, stride, path_at, trees, depth_value, gaps_at, codes, mask)

    types_of = points, index, n_columns, path, place, n_trees, depth, query, gaps, gap, lanes
    return types.int64(*types_of), generate


@intrinsic
def unequal_before(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Of `COMPARED_AT_ONCE` bytes from an index on, those before the first that equals a value; all if none does."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        array_value, index_value, wanted = arguments
        vector = ir.VectorType(ir.IntType(8), COMPARED_AT_ONCE)
        found = load(builder, element(context, builder, array, array_value, index_value), vector)
        equal = builder.icmp_unsigned(
            "==", found, splat(builder, vector, builder.trunc(wanted, vector.element))
        )
        return call(builder, "llvm.cttz.i64", INT64, builder.bitcast(equal, INT64), ir.IntType(1)(0))

    return types.int64(array, index, types.int64), generate


@intrinsic
def load_word(typing: Any, array: Any, index: Any) -> Any:
    """Four bytes of a byte array from an index on, as an integer; those behind the array's end are whatever follows."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = builder.bitcast(element(context, builder, array, *arguments), ir.IntType(32).as_pointer())
        word = builder.load(pointer)
        word.align = 1
        return builder.zext(word, INT64)

    return types.int64(array, index), generate


@intrinsic
def move_elements(typing: Any, array: Any, target: Any, source: Any, count: Any) -> Any:
    """Copy `count` elements of an array from one index to another; the ranges may overlap."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        array_value, target_value, source_value, count_value = arguments
        to = element(context, builder, array, array_value, target_value)
        origin = element(context, builder, array, array_value, source_value)
        cgutils.raw_memmove(builder, to, origin, count_value, array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, target, source, count), generate


@intrinsic
def prefetch_element(typing: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of an element, for reading, into the second-level cache.

    A model does not fit the first level, and asking for it there took a third longer.
    """

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        pointer = builder.bitcast(element(context, builder, array, *arguments), byte)
        word = ir.IntType(32)
        read, second_level, data = word(0), word(2), word(1)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, (pointer, read, second_level, data))
        return context.get_dummy_value()

    return types.none(array, index), generate
