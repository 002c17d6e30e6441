"""Four instructions numba has no words for: a vector scan, a vector measure, a block move and a prefetch.

Each takes an array and the index of an element in it, counted over the whole array, which must be C-contiguous. They
do not check anything; `vector.py` calls them, and holds the plain function each of them must agree with.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

BLOCK = 4
"""Points a scan reads before it decides whether to go on: short ranges, which are most, end without a guess."""

_INT64 = ir.IntType(64)


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:  # noqa: ANN401 - llvmlite
    """Address of an element."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _load(builder: Any, pointer: Any, vector: ir.VectorType) -> Any:  # noqa: ANN401 - llvmlite has no types
    """Load of a vector from an address that is aligned to its elements only."""
    value = builder.load(builder.bitcast(pointer, vector.as_pointer()))
    value.align = vector.element.width // 8
    return value


def _store(builder: Any, value: Any, pointer: Any) -> None:  # noqa: ANN401 - llvmlite has no types
    """Store of a vector, as `_load` loads one."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = value.type.element.width // 8


def _call(builder: Any, name: str, result: ir.Type, *arguments: Any) -> Any:  # noqa: ANN401 - llvmlite has no types
    """Call of an LLVM intrinsic function by its full name."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _extremes(builder: Any, low: Any, high: Any, codes: Any) -> tuple[Any, Any]:  # noqa: ANN401 - llvmlite
    """Smaller and larger of each lane."""
    lanes = f"v{codes.type.count}i16"
    smaller = _call(builder, f"llvm.umin.{lanes}", codes.type, low, codes)
    return smaller, _call(builder, f"llvm.umax.{lanes}", codes.type, high, codes)


def _scan(builder: Any, first: Any, count: Any, stride: Any, box: tuple[Any, Any]) -> tuple[Any, Any]:  # noqa: ANN401
    """Widen `box`, two vectors, by `count` points from the address `first` on, `stride` bytes apart; count >= 1.

    Points are read in blocks; behind the end the last one is read again, which changes nothing.
    """
    vector = box[0].type
    last = builder.mul(builder.sub(count, _INT64(1)), stride)
    before = builder.block
    body = builder.append_basic_block("scan")
    after = builder.append_basic_block("scanned")
    builder.branch(body)
    builder.position_at_end(body)
    offset = builder.phi(_INT64)
    low = builder.phi(vector)
    high = builder.phi(vector)
    at = offset
    lowest, highest = low, high
    for step in range(BLOCK):
        clamped = _call(builder, "llvm.smin.i64", _INT64, at, last) if step else at
        lowest, highest = _extremes(builder, lowest, highest, _load(builder, builder.gep(first, [clamped]), vector))
        at = builder.add(at, stride)
    builder.cbranch(builder.icmp_signed("<=", at, last), body, after)
    for phi, start, repeated in ((offset, _INT64(0), at), (low, box[0], lowest), (high, box[1], highest)):
        phi.add_incoming(start, before)
        phi.add_incoming(repeated, body)
    builder.position_at_end(after)
    return lowest, highest


def _total(builder: Any, codes: Any) -> Any:  # noqa: ANN401 - llvmlite has no types
    """Sum of the lanes, as a 64-bit integer."""
    lanes = codes.type.count
    wide = builder.zext(codes, ir.VectorType(ir.IntType(32), lanes))
    total = _call(builder, f"llvm.vector.reduce.add.v{lanes}i32", ir.IntType(32), wide)
    return builder.zext(total, _INT64)


def _measure(builder: Any, box: tuple[Any, Any], query: Any, mask: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Overhang of the query over the box, and extent of the box, over the lanes of `mask`."""
    low, high = box
    name = f"llvm.usub.sat.v{query.type.count}i16"
    under = _call(builder, name, query.type, low, query)
    over = _call(builder, name, query.type, query, high)
    overhang = _total(builder, builder.and_(builder.or_(under, over), mask))
    return overhang, _total(builder, builder.and_(builder.sub(high, low), mask))


@intrinsic(prefer_literal=True)
def widen_lanes(
    typing: Any, points: Any, index: Any, count: Any, n_columns: Any, box: Any, query: Any, lane: Any, lanes: Any
) -> Any:  # noqa: ANN401 - numba calls it with its own types
    """`vector.widen` for the columns of one vector, which begins at column `lane` and is `lanes` wide (a literal)."""
    result = types.UniTuple(types.int64, 2)
    width = lanes.literal_value
    vector = ir.VectorType(ir.IntType(16), width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        points_value, index_value, count_value, columns_value, box_value, query_value, lane_value, _ = arguments
        byte = ir.IntType(8).as_pointer()
        first = builder.bitcast(_element(context, builder, points, points_value, index_value), byte)
        row = cgutils.unpack_tuple(builder, context.make_array(box)(context, builder, box_value).shape)[1]
        low_at = _element(context, builder, box, box_value, lane_value)
        high_at = _element(context, builder, box, box_value, builder.add(lane_value, row))
        start = _load(builder, low_at, vector), _load(builder, high_at, vector)
        stride = builder.mul(columns_value, _INT64(2))
        low, high = _scan(builder, first, count_value, stride, start)
        _store(builder, low, low_at)
        _store(builder, high, high_at)
        codes = _load(builder, _element(context, builder, query, query_value, lane_value), vector)
        mask_at = _element(context, builder, query, query_value, builder.add(lane_value, row))
        overhang, extent = _measure(builder, (low, high), codes, _load(builder, mask_at, vector))
        return context.make_tuple(builder, signature.return_type, (overhang, extent))

    return result(points, index, count, n_columns, box, query, lane, lanes), generate


@intrinsic
def move_elements(typing: Any, array: Any, target: Any, source: Any, count: Any) -> Any:  # noqa: ANN401
    """Copy `count` elements of an array from one index to another; the ranges may overlap."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        array_value, target_value, source_value, count_value = arguments
        to = _element(context, builder, array, array_value, target_value)
        origin = _element(context, builder, array, array_value, source_value)
        cgutils.raw_memmove(builder, to, origin, count_value, array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, target, source, count), generate


@intrinsic
def prefetch_element(typing: Any, array: Any, index: Any) -> Any:  # noqa: ANN401
    """Ask for the cache line of an element, for reading, into the cache nearest to the core."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        byte = ir.IntType(8).as_pointer()
        pointer = builder.bitcast(_element(context, builder, array, *arguments), byte)
        word = ir.IntType(32)
        read, near, data = word(0), word(3), word(1)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, (pointer, read, near, data))
        return context.get_dummy_value()

    return types.none(array, index), generate
