# ruff: noqa: ANN401 - llvmlite has no types
"""Vector code of the scans: loads, minimum and maximum, sums over lanes, as LLVM instructions.

A vector holds the codes of one point, one or two bytes each, of 8, 16 or 32 columns; lanes behind the point's
own hold whatever follows in memory, and a mask keeps them out of the sums. A box is two vectors, smallest and
largest codes.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils

from detector.forest.kernels.quantise import MANTISSA_BITS, ZERO_CODE, ZERO_STEP

BLOCK = 4
"""Points a scan reads before it decides whether to go on."""

INT64 = ir.IntType(64)
LOW_WORD = INT64(0xFFFFFFFF)


def load(builder: Any, pointer: Any, vector: ir.VectorType) -> Any:
    """Load of a vector from an address that is aligned to its elements only."""
    value = builder.load(builder.bitcast(pointer, vector.as_pointer()))
    value.align = vector.element.width // 8
    return value


def store(builder: Any, value: Any, pointer: Any) -> None:
    """Store of a vector, as `_load` loads one."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = (
        value.type.element.width // 8
    )


def call(builder: Any, name: str, result: ir.Type, *arguments: Any) -> Any:
    """Call of an LLVM intrinsic function by its full name."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _extremes(builder: Any, low: Any, high: Any, codes: Any) -> tuple[Any, Any]:
    """Smaller and larger of each lane."""
    lanes = f"v{codes.type.count}i{codes.type.element.width}"
    smaller = call(builder, f"llvm.umin.{lanes}", codes.type, low, codes)
    return smaller, call(builder, f"llvm.umax.{lanes}", codes.type, high, codes)


def _widen_at(builder: Any, box: tuple[Any, Any], pointer: Any) -> tuple[Any, Any]:
    """Widen a box, two vectors, by the point at an address."""
    return _extremes(builder, *box, load(builder, pointer, box[0].type))


def scan(builder: Any, first: Any, count: Any, stride: Any, box: tuple[Any, Any]) -> tuple[Any, Any]:
    """Widen `box`, two vectors, by `count` points from the address `first` on, `stride` bytes apart; count >= 1.

    Whole blocks are followed by one that reads the last point again and again, which changes nothing: most
    ranges are short, and then there is no branch to guess.
    """
    last = builder.mul(builder.sub(count, INT64(1)), stride)
    block = builder.mul(stride, INT64(BLOCK))
    before = builder.block
    head, body, after = (builder.append_basic_block(name) for name in ("scan", "block", "rest"))
    builder.branch(head)
    builder.position_at_end(head)
    at, low, high = builder.phi(INT64), builder.phi(box[0].type), builder.phi(box[0].type)
    following = builder.add(at, block)
    builder.cbranch(builder.icmp_signed("<=", following, last), body, after)
    builder.position_at_end(body)
    widened = low, high
    step = at
    for _ in range(BLOCK):
        widened = _widen_at(builder, widened, builder.gep(first, [step]))
        step = builder.add(step, stride)
    builder.branch(head)
    for phi, start, repeated in (
        (at, INT64(0), following),
        (low, box[0], widened[0]),
        (high, box[1], widened[1]),
    ):
        phi.add_incoming(start, before)
        phi.add_incoming(repeated, body)
    builder.position_at_end(after)
    widened = low, high
    step = at
    for _ in range(BLOCK):
        widened = _widen_at(builder, widened, builder.gep(first, [step]))
        step = call(builder, "llvm.smin.i64", INT64, builder.add(step, stride), last)
    return widened


def _pairs(builder: Any, codes: Any) -> Any:
    """Add up neighbouring lanes, into 32-bit lanes."""
    wide = ir.VectorType(ir.IntType(32), codes.type.count // 2)
    pairs = builder.bitcast(codes, wide)
    even = builder.and_(pairs, ir.Constant(wide, [0xFFFF] * wide.count))
    return builder.add(even, builder.lshr(pairs, ir.Constant(wide, [16] * wide.count)))


def _pick(builder: Any, one: Any, other: Any, lanes: list[int]) -> Any:
    """Lanes of two vectors, counted through both."""
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def _totals(builder: Any, overhang: Any, extent: Any) -> Any:
    """Add up the lanes of two vectors, into one 64-bit integer: overhang in the low word, extent above."""
    one, other = _pairs(builder, overhang), _pairs(builder, extent)
    lanes = one.type.count
    low = [index for lane in range(lanes // 2) for index in (lane, lanes + lane)]
    joined = builder.add(
        _pick(builder, one, other, low), _pick(builder, one, other, [i + lanes // 2 for i in low])
    )
    while lanes > 2:
        lanes //= 2
        low = list(range(lanes))
        joined = builder.add(
            _pick(builder, joined, joined, low), _pick(builder, joined, joined, [i + lanes for i in low])
        )
    return builder.bitcast(joined, INT64)


def _constant(vector: ir.VectorType, value: int) -> Any:
    """Vector of equal lanes."""
    return ir.Constant(vector, [value] * vector.count)


def _steps(builder: Any, codes: Any) -> Any:
    """Return the steps of codes, in 16-bit lanes: `quantise.steps_of` without a branch."""
    if codes.type.element.width == 16:
        return codes
    wide = ir.VectorType(ir.IntType(16), codes.type.count)
    signed = builder.sub(builder.zext(codes, wide), _constant(wide, ZERO_CODE))
    sign = builder.ashr(signed, _constant(wide, 15))
    size = builder.sub(builder.xor(signed, sign), sign)
    groups = builder.lshr(size, _constant(wide, MANTISSA_BITS))
    exponent = call(builder, f"llvm.usub.sat.v{wide.count}i16", wide, groups, _constant(wide, 1))
    mantissa = builder.sub(size, builder.shl(exponent, _constant(wide, MANTISSA_BITS)))
    steps = builder.shl(mantissa, exponent)
    return builder.add(builder.sub(builder.xor(steps, sign), sign), _constant(wide, ZERO_STEP))


def measure(builder: Any, box: tuple[Any, Any], query: Any, mask: Any) -> Any:
    """Overhang of the query over the box (low word) and extent of the box (high word), over the lanes of `mask`."""
    low, high, query = (_steps(builder, codes) for codes in (*box, query))
    if mask.type != query.type:
        mask = builder.sext(mask, query.type)
    name = f"llvm.usub.sat.v{query.type.count}i16"
    under = call(builder, name, query.type, low, query)
    over = call(builder, name, query.type, query, high)
    overhang = builder.and_(builder.or_(under, over), mask)
    return _totals(builder, overhang, builder.and_(builder.sub(high, low), mask))
