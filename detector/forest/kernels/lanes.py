# ruff: noqa: ANN401 - llvmlite has no types
"""Vector code of the scans: loads, minimum and maximum, sums over lanes, as LLVM instructions.

A vector holds the codes of one point, one or two bytes each, of 8, 16 or 32 columns; lanes behind the point's
own hold whatever follows in memory, and a mask keeps them out of the sums. A box is two vectors, smallest and
largest codes.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, config

from detector.forest.kernels.quantise import MANTISSA_BITS, ZERO_CODE, ZERO_STEP

BLOCK = 4
"""Points a scan reads before it decides whether to go on."""

INT64 = ir.IntType(64)
LOW_WORD = INT64(0xFFFFFFFF)

NODE_FIELD = 0, 0x3FF
LEAF_FIELD = 10, 0x3FF
MASS_FIELD = 20, 0x7FF
"""Shift and mask of the fields of a place (see `node.py`)."""


def element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Address of an element."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


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
    even = builder.and_(pairs, constant(wide, 0xFFFF))
    return builder.add(even, builder.lshr(pairs, constant(wide, 16)))


def _pick(builder: Any, one: Any, other: Any, lanes: Sequence[int]) -> Any:
    """Lanes of two vectors, counted through both."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
    return builder.shuffle_vector(one, other, mask)


def _joined(builder: Any, one: Any, other: Any) -> Any:
    """One vector after the other, of twice as many lanes."""
    return _pick(builder, one, other, range(2 * one.type.count))


def _split(builder: Any, joined: Any) -> tuple[Any, Any]:
    """Return the two halves of a vector."""
    half = joined.type.count // 2
    return _pick(builder, joined, joined, range(half)), _pick(builder, joined, joined, range(half, 2 * half))


def _fold(builder: Any, one: Any, other: Any) -> Any:
    """Add the second half of the lanes of each vector to its first: sums of one, then of the other."""
    (one_front, one_back), (other_front, other_back) = _split(builder, one), _split(builder, other)
    front, back = _joined(builder, one_front, other_front), _joined(builder, one_back, other_back)
    return builder.add(front, back)


def _totals(builder: Any, overhang: Any, extent: Any, *, fits: bool) -> Any:
    """Add up the lanes of two vectors, into one 64-bit integer: overhang in the low word, extent above.

    `fits` says that the sum of two lanes fits a lane.
    """
    if fits:
        sums = _pairs(builder, _fold(builder, overhang, extent))
    else:
        sums = _fold(builder, _pairs(builder, overhang), _pairs(builder, extent))
    while sums.type.count > 2:
        sums = _fold(builder, *_split(builder, sums))
    return builder.bitcast(sums, INT64)


def constant(vector: ir.VectorType, value: int) -> Any:
    """Vector of equal lanes."""
    return ir.Constant(vector, [value] * vector.count)


def splat(builder: Any, vector: ir.VectorType, value: Any) -> Any:
    """Vector with one value in all lanes."""
    first = ir.IntType(32)(0)
    lone = builder.insert_element(ir.Constant(vector, ir.Undefined), value, first)
    return _pick(builder, lone, lone, [0] * vector.count)


def _has(feature: str) -> bool:
    """Whether code is compiled for a processor that has a feature; one named by the user is not known well enough."""
    is_host = config.CPU_NAME is None and config.CPU_FEATURES is None
    return is_host and bool(binding.get_host_cpu_features().get(feature))


def _powers(builder: Any, groups: Any) -> Any:
    """Power of two by which the mantissas of a group of codes are multiplied: bytes, groups from 0 to 8.

    A processor that cannot shift bytes by a distance each looks the power up.
    """
    count = groups.type.count
    if count == 8:
        return _split(builder, _powers(builder, _joined(builder, groups, groups)))[0]
    if not _has("ssse3"):
        exponent = call(builder, f"llvm.usub.sat.v{count}i8", groups.type, groups, constant(groups.type, 1))
        return builder.shl(constant(groups.type, 1), exponent)
    if count > (32 if _has("avx2") else 16):
        return _joined(builder, *(_powers(builder, half) for half in _split(builder, groups)))
    table = [1 << max(group - 1, 0) & 0xFF for group in range(16)] * (count // 16)
    name = "llvm.x86.avx2.pshuf.b" if count == 32 else "llvm.x86.ssse3.pshuf.b.128"
    return call(builder, name, groups.type, ir.Constant(groups.type, table), groups)


def steps(builder: Any, codes: Any) -> Any:
    """Return the steps of codes, in 16-bit lanes: `quantise.steps_of` without a branch."""
    narrow = codes.type
    if narrow.element.width == 16:
        return codes
    wide = ir.VectorType(ir.IntType(16), narrow.count)
    signed = builder.sub(codes, constant(narrow, ZERO_CODE))
    sign = builder.ashr(signed, constant(narrow, 7))
    size = builder.sub(builder.xor(signed, sign), sign)
    power = _powers(builder, builder.lshr(size, constant(narrow, MANTISSA_BITS)))
    one_group = 1 << MANTISSA_BITS
    groups = builder.and_(size, constant(narrow, 0x100 - one_group))
    above = call(builder, f"llvm.usub.sat.v{narrow.count}i8", narrow, groups, constant(narrow, one_group))
    mantissa = builder.sub(size, above)
    mantissa = builder.sub(builder.xor(mantissa, sign), sign)
    return builder.add(
        builder.mul(builder.zext(power, wide), builder.sext(mantissa, wide)), constant(wide, ZERO_STEP)
    )


def sticks_out(builder: Any, box: tuple[Any, Any], query: Any, mask: Any) -> Any:
    """Whether the query is outside of the box in a lane of `mask`, all of them codes: one bit."""
    name = f"llvm.usub.sat.v{query.type.count}i{query.type.element.width}"
    under = call(builder, name, query.type, box[0], query)
    over = call(builder, name, query.type, query, box[1])
    outside = builder.and_(builder.or_(under, over), mask)
    bits = ir.IntType(query.type.count * query.type.element.width)
    return builder.icmp_unsigned("!=", builder.bitcast(outside, bits), bits(0))


def measure(builder: Any, box: tuple[Any, Any], at: Any, mask: Any) -> Any:
    """Overhang of the query over the box (low word) and extent of the box (high word), over the lanes of `mask`.

    The box is in codes, `at` are the steps of the query.
    """
    fits = box[0].type.element.width == 8
    low, high = _split(builder, steps(builder, _joined(builder, *box)))
    if mask.type != at.type:
        mask = builder.sext(mask, at.type)
    name = f"llvm.usub.sat.v{at.type.count}i16"
    under = call(builder, name, at.type, low, at)
    over = call(builder, name, at.type, at, high)
    overhang = builder.and_(builder.or_(under, over), mask)
    return _totals(builder, overhang, builder.and_(builder.sub(high, low), mask), fits=fits)
