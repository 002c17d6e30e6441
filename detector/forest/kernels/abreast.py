# ruff: noqa: ANN401, ARG001 - llvmlite has no types, and numba calls this with its own
"""One step of a point down eight trees at once, as LLVM instructions.

A step down one tree is some fifty instructions, of which none waits for another tree's. In the lanes of a vector eight
steps take little more; 32 bits a lane hold a place, and a record of three bytes.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from detector.forest.kernels.lanes import (
    INT64,
    LEAF_FIELD,
    MASS_FIELD,
    NODE_FIELD,
    constant,
    element,
    load,
    splat,
    store,
)
from detector.forest.kernels.node import DUPLICATES

TREES_ABREAST = 8
"""Trees that a point descends at once."""


def _gathered(builder: Any, base: Any, offsets: Any, width: int) -> Any:
    """Integers of `width` bits at byte offsets from an address, one a lane of `offsets`, in lanes of 32 bits."""
    pointer = ir.IntType(width).as_pointer()
    found = ir.Constant(offsets.type, ir.Undefined)
    for lane in range(offsets.type.count):
        place = ir.IntType(32)(lane)
        offset = builder.zext(builder.extract_element(offsets, place), INT64)
        value = builder.load(builder.bitcast(builder.gep(base, [offset]), pointer))
        value.align = 1
        if width < 32:
            value = builder.zext(value, ir.IntType(32))
        found = builder.insert_element(found, value, place)
    return found


def _have_many(builder: Any, places: Any) -> Any:
    """Whether there is more than one leaf under each of the places."""
    mass = builder.lshr(places, constant(places.type, MASS_FIELD[0]))
    return builder.icmp_unsigned(">", mass, constant(places.type, 1))


def _codes(builder: Any, query: Any, columns: Any, n_lanes: int) -> Any:
    """Codes of a point in one column a lane; `n_lanes` columns have room at the address `query`."""
    if n_lanes != 8:
        return _gathered(builder, query, columns, 8)
    # All eight fit a word: shifting it takes fewer instructions than loading byte by byte.
    wide = ir.VectorType(INT64, columns.type.count)
    word = builder.load(builder.bitcast(query, INT64.as_pointer()))
    word.align = 1
    bits = builder.shl(builder.zext(columns, wide), constant(wide, 3))
    shifted = builder.trunc(builder.lshr(splat(builder, wide, word), bits), columns.type)
    return builder.and_(shifted, constant(columns.type, 0xFF))


def _children(
    builder: Any, base: Any, query: Any, n_lanes: int, first_record: Any, places: Any
) -> tuple[Any, Any]:
    """Places of the children that a point goes to, and which places had any: leaves and equal points stay.

    Everything in lanes of 32 bits. `first_record` is where the records of each lane's tree begin, in records from
    `base`; `query` is the address of the point's codes, of which there is room for `n_lanes`.
    """
    lane = lambda value: constant(places.type, value)  # noqa: E731 - the same in all lanes
    record = builder.add(first_record, builder.and_(places, lane(NODE_FIELD[1])))
    words = _gathered(builder, base, builder.mul(record, lane(3)), 32)
    byte = lambda shift: builder.and_(builder.lshr(words, lane(shift)), lane(0xFF))  # noqa: E731 - of a record
    has_equals = builder.icmp_unsigned("==", byte(8), lane(DUPLICATES))
    goes_on = builder.and_(_have_many(builder, places), builder.not_(has_equals))
    codes = _codes(builder, query, builder.select(has_equals, lane(0), byte(8)), n_lanes)
    left = builder.add(byte(16), lane(1))
    mass = builder.shl(left, lane(MASS_FIELD[0]))
    left_child = builder.add(builder.add(builder.and_(places, lane((1 << MASS_FIELD[0]) - 1)), lane(1)), mass)
    behind = builder.add(left, builder.shl(left, lane(LEAF_FIELD[0])))
    right_child = builder.sub(builder.add(places, behind), mass)
    goes_right = builder.icmp_unsigned("<", byte(0), codes)
    return builder.select(goes_on, builder.select(goes_right, right_child, left_child), places), goes_on


@intrinsic(prefer_literal=True)
def step_lanes(
    typing: Any, nodes: Any, record: Any, path: Any, depth: Any, query: Any, level: Any, tree: Any, lanes: Any
) -> Any:
    """`descend.step_abreast` for the trees from `tree` on, whose records begin with number `record`.

    `lanes` is a literal: the columns that `query` has room for.
    """
    vector = ir.VectorType(ir.IntType(32), TREES_ABREAST)
    short = ir.VectorType(ir.IntType(16), TREES_ABREAST)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        nodes_value, record_value, path_value, depth_value, query_value, level_value, tree_value, _ = (
            arguments
        )
        trees = cgutils.unpack_tuple(builder, context.make_array(path)(context, builder, path_value).shape)[1]
        place_value = builder.add(builder.mul(level_value, trees), tree_value)
        base = element(context, builder, nodes, nodes_value, builder.mul(record_value, INT64(3)))
        samples = cgutils.unpack_tuple(
            builder, context.make_array(nodes)(context, builder, nodes_value).shape
        )[2]
        row = splat(builder, vector, builder.trunc(samples, ir.IntType(32)))
        first_record = builder.mul(row, ir.Constant(vector, list(range(TREES_ABREAST))))
        places = load(builder, element(context, builder, path, path_value, place_value), vector)
        codes = element(context, builder, query, query_value, INT64(0))
        children, goes_on = _children(builder, base, codes, lanes.literal_value, first_record, places)
        store(builder, children, element(context, builder, path, path_value, builder.add(place_value, trees)))
        depth_at = element(context, builder, depth, depth_value, tree_value)
        below = builder.trunc(builder.add(level_value, INT64(1)), ir.IntType(16))
        deeper = builder.select(goes_on, splat(builder, short, below), load(builder, depth_at, short))
        store(builder, deeper, depth_at)
        go_on = builder.and_(goes_on, _have_many(builder, children))
        bits = builder.bitcast(go_on, ir.IntType(TREES_ABREAST))
        return builder.icmp_unsigned("!=", bits, bits.type(0))

    return types.boolean(nodes, record, path, depth, query, level, tree, lanes), generate
