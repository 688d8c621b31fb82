"""The quick way to add to the totals: two sides of one floating dtype that are mostly close, a large chunk at a time.

Each operation goes over the whole chunk in the data's own width, into a buffer made beforehand. The integer difference
of two floats of one sign is their distance in units in the last place; most distances fit into a byte, where counting
costs a quarter. The difference of two floats within a factor of two of each other is exact. Whatever does not
fit this picture (NaN, infinities, opposite signs, squares that underflow) goes to Totals, element or chunk.
"""

import math

import numpy as np

from parity.numerics.dtypes import FORMATS
from parity.numerics.steps import to_float64, widen_bits
from parity.numerics.totals import Totals

CHUNK = (
    196_608  # elements of float32; fewer, and NumPy's calls cost more than their work; more, and 8 MB are not enough
)
ROW = 512  # elements that float32 sums without help: at most 20 roundings each, then float64 takes over
NEAR = 127  # the largest distance that a signed byte holds
SPARE = 1e-5  # max_rel may be low by this part: an exact maximum would need a division an element


class Rapid:
    """Buffers for one thread, and the format they are for.

    Args:
        name: The format.
        size: Elements that will come in all.
        copied: Whether the arrays come in buffers of their own, since they are not contiguous: then chunks are half as
            large, for the sake of memory.
    """

    def __init__(self, name: str, size: int, *, copied: bool) -> None:
        self.name = name
        self.form = FORMATS[name]
        # float64 is twice as wide, and 16-bit formats are widened beside.
        self.chunk = min((CHUNK if self.form.bits == 32 else CHUNK // 2) >> copied, max(size, 1))
        self.integer = np.dtype(f"i{self.form.bits // 8}")
        self.unsigned = np.dtype(f"u{self.form.bits // 8}")
        self.floating = np.dtype("f8" if name == "float64" else "f4")
        self.steps = np.empty(self.chunk, self.integer)
        self.difference = np.empty(self.chunk, self.floating)
        self.near = np.empty(self.chunk, np.int8)
        self.mask = np.empty(self.chunk, np.bool_)
        self.wide = np.empty((2, self.chunk if self.form.bits == 16 else 0), np.float32)
        self.ones = np.ones(ROW, self.floating)
        self.rows = np.empty((2, self.chunk // ROW), self.floating)
        limits = np.finfo(self.floating)
        # Each square that underflows is off by less than half the smallest number; so small a sum is not to be trusted.
        self.least_square = float(limits.smallest_normal)
        self.tiny = 1 << self.form.mantissa_bits
        self.infinity = ((1 << (self.form.bits - 1 - self.form.mantissa_bits)) - 1) << self.form.mantissa_bits
        self.sign = 1 << (self.form.bits - 1)

    def add(self, total: Totals, left: np.ndarray, right: np.ndarray, start: int) -> None:
        """Add a chunk: flat arrays of the format, bfloat16 as its bits."""
        n = left.size
        left_bits = left.view(self.integer)
        steps = np.subtract(left_bits, right.view(self.integer), out=self.steps[:n])
        highest, lowest = int(np.maximum.reduce(steps)), int(np.minimum.reduce(steps))
        if highest == lowest == 0:
            if self._finite(left):
                total.count += n
                total.bit_equal += n
                total.finite += n
                total.judged += n
                total.histogram[0] += n
                total.reach_abs(0.0, start)
                return
            total.add(left, right, None, start, (self.name,) * 3)
            return
        if self.name == "float16" and not (self._finite(left) and self._finite(right)):
            total.add(left, right, None, start, (self.name,) * 3)
            return
        one, other = self._widened(left, right)
        difference = np.subtract(one, other, out=self.difference[:n])
        square, whole = self._sums(difference)
        if not n * self.least_square <= square < math.inf:
            total.add(left, right, None, start, (self.name,) * 3)
            return
        total.count += n
        total.finite += n
        total.judged += n
        total.norm = math.hypot(total.norm, math.sqrt(square))
        total.sum += whole
        self._largest(total, left, right, start)
        farthest = max(highest, -lowest)
        if farthest > NEAR:
            farthest = self._far(total, left, right, start)
        if farthest >= 0:
            self._near(total, left, one, other, farthest, start)

    def _finite(self, values: np.ndarray) -> bool:
        """Whether no element is NaN or infinite; from the bits, where positive and negative ones are extremes apart."""
        positive = int(np.maximum.reduce(values.view(self.integer)))
        negative = int(np.maximum.reduce(values.view(self.unsigned)))
        return positive < self.infinity and (negative < self.sign or negative - self.sign < self.infinity)

    def _smallest(self, values: np.ndarray) -> int:
        """The bits of the smallest magnitude."""
        negative = int(np.minimum.reduce(values.view(self.integer))) + self.sign
        positive = int(np.minimum.reduce(values.view(self.unsigned)))
        return min(positive, negative) if negative < self.sign else positive

    def _widened(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.form.bits != 16:
            return left, right
        one, other = (row[: left.size] for row in self.wide)
        widen_bits(left.view(np.int16), self.name, one)
        return one, widen_bits(right.view(np.int16), self.name, other)

    def _sums(self, difference: np.ndarray) -> tuple[float, float]:
        """Sum of squares and sum: short rows in the data's own width, their results in float64."""
        count = difference.size // ROW
        square = whole = 0.0
        if count:
            table, rows = difference[: count * ROW].reshape(count, ROW), self.rows[:, :count]
            np.vecdot(table, table, out=rows[0])
            np.matmul(table, self.ones, out=rows[1])
            square, whole = np.add.reduce(rows, axis=1, dtype=np.float64).tolist()
        if count * ROW < difference.size:
            rest = difference[count * ROW :].astype(np.float64)
            square, whole = square + float(np.dot(rest, rest)), whole + float(rest.sum())
        return square, whole

    def _largest(self, total: Totals, left: np.ndarray, right: np.ndarray, start: int) -> None:
        difference = self.difference[: left.size]
        above, below = float(np.maximum.reduce(difference)), -float(np.minimum.reduce(difference))
        largest = max(above, below)
        if largest > total.max_abs:
            places = [int(difference.argmax())] * (above == largest) + [int(difference.argmin())] * (below == largest)
            at = min(places)
            pair = (to_float64(side[at : at + 1], self.name) for side in (left, right))
            total.reach_abs(abs(float(np.subtract(*pair)[0])), start + at)

    def _far(self, total: Totals, left: np.ndarray, right: np.ndarray, start: int) -> int:
        """Take what is further apart than a byte tells out of the chunk; how far apart the rest is.

        Where that is much, all elements are taken, and -1 says that none remain.
        """
        n = left.size
        steps, mask = self.steps[:n], self.mask[:n]
        # The magnitude of the most negative integer needs the unsigned reading.
        magnitude = np.abs(steps, out=steps).view(self.unsigned)
        np.greater(magnitude, self.unsigned.type(NEAR), out=mask)
        many = int(np.count_nonzero(mask))
        everything = many * 8 > n
        for lo in range(0, n, PIECE := 8192):
            chosen = np.arange(lo, min(lo + PIECE, n)) if everything else lo + np.flatnonzero(mask[lo : lo + PIECE])
            if not chosen.size:
                continue
            a, b = to_float64(left[chosen], self.name), to_float64(right[chosen], self.name)
            where = chosen + start
            total.add_steps(a, b, where, None)
            apart = np.abs(a - b)
            total.bit_equal += int(np.count_nonzero(apart == 0.0))
            ratio = np.where(a != 0.0, apart / np.maximum(np.abs(a), self.form.smallest_normal), 0.0)
            at = int(ratio.argmax())
            total.reach_rel(float(ratio[at]), int(where[at]))
        if everything:
            return -1
        # Distance 0 leaves them out of what follows; they are counted above.
        np.copyto(steps, 0, where=mask)
        np.copyto(self.difference[:n], 0.0, where=mask)
        total.bit_equal -= many
        total.histogram[0] -= many
        return int(np.maximum.reduce(steps))

    def _near(
        self, total: Totals, left: np.ndarray, one: np.ndarray, other: np.ndarray, farthest: int, start: int
    ) -> None:
        """Elements of one sign, a few steps apart: `steps` fits into a byte."""
        n = left.size
        near, mask = self.near[:n], self.mask[:n]
        np.copyto(near, self.steps[:n], casting="unsafe")
        total.bit_equal += n - int(np.count_nonzero(near))
        np.abs(near, out=near)
        if farthest > total.max_ulp:
            total.reach_ulp(float(farthest), start + int(near.argmax()))
        more, power = n, 0
        while more and 2 << power <= farthest:
            fewer = int(np.count_nonzero(np.greater_equal(near, np.int8(2 << power), out=mask)))
            total.histogram[power] += more - fewer
            more, power = fewer, power + 1
        total.histogram[power] += more
        tiny = self._smallest(left) < self.tiny
        if tiny:
            total.flushed += self._flushed(one, other)
        # k steps from x, also across a power of two, are at most 2 u k |x| while 2 u k <= 1: mostly no need to divide.
        reach = 2.0 * self.form.unit_roundoff * farthest
        if reach > total.max_rel * (1.0 + SPARE):
            self._ratio(total, one, start, tiny=tiny)

    def _flushed(self, left: np.ndarray, right: np.ndarray) -> int:
        """Zero against a subnormal number, among the elements that are a few steps apart."""
        mask, near = self.mask[: left.size], self.near[: left.size]
        apart = np.not_equal(near, 0, out=near.view(np.bool_))
        # A few steps apart and one of them zero: the other is not zero, and is subnormal.
        return sum(
            int(np.count_nonzero(np.logical_and(np.equal(side, 0.0, out=mask), apart, out=mask)))
            for side in (left, right)
        )

    def _ratio(self, total: Totals, left: np.ndarray, start: int, *, tiny: bool) -> None:
        n = left.size
        size, ratio = self.steps[:n].view(self.floating) if self.form.bits != 16 else left, self.difference[:n]
        if tiny:
            size = self.wide[1, :n] if self.form.bits == 16 else size
            np.maximum(np.abs(left, out=size), self.floating.type(self.form.smallest_normal), out=size)
            np.copyto(ratio, 0.0, where=np.equal(left, 0.0, out=self.mask[:n]))
            left = size
        np.divide(ratio, left, out=ratio)
        above, below = int(ratio.argmax()), int(ratio.argmin())
        at = above if ratio[above] >= -ratio[below] else below
        total.reach_rel(abs(float(ratio[at])), start + at)
