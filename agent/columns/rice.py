"""Bits, most significant first: whole numbers that say their length, and rows of small numbers in Rice's code.

    number   6 bits: how many bits the number has (0: it is 0); then those below its leading one
    Rice     u >> k ones, a zero, the k low bits of u; where ESCAPE ones or more were due: ESCAPE, then u as a number

A row of Rice codes keeps its parameter k, or follows the numbers: a mean m begins at 2^k, each code takes the bit
length of 2m/3 as its k (ln 2 of the mean is best for numbers that fall off geometrically), and then m becomes the
half of m + u, rounded down in halves: M = 2m is kept, M + u - M // 2 is next.

Zigzag makes signed numbers whole ones: 0, -1, 1, -2, ... become 0, 1, 2, 3, ... Numbers end at 2^63 - 1.
"""

from collections.abc import Iterable, Sequence

from agent.codec import CodecError

ESCAPE = 24
LENGTH_BITS = 6
NUMBER_MAX = 2**63 - 1


class Writer:
    """Bits, put one after the other."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def put(self, number: int, size: int) -> None:
        """A number in so many bits."""
        if size:
            self._parts.append(f"{number:0{size}b}")

    def put_number(self, number: int) -> None:
        """A number from 0 to NUMBER_MAX that says its length."""
        if not 0 <= number <= NUMBER_MAX:
            raise CodecError(f"{number} has no room in 63 bits")
        size = number.bit_length()
        self.put(size, LENGTH_BITS)
        if size > 1:
            self.put(number ^ 1 << (size - 1), size - 1)

    def put_rice(self, numbers: Iterable[int], k: int, *, follows: bool) -> None:
        """Numbers in Rice's code."""
        double = 2 << k
        for u in numbers:
            if follows:
                k = ((double >> 1) * 2 // 3).bit_length()
                double += u - (double >> 1)
            if u >> k < ESCAPE:
                self._parts.append("1" * (u >> k) + "0")
                self.put(u & (1 << k) - 1, k)
            else:
                self._parts.append("1" * ESCAPE)
                self.put_number(u)

    def put_bits(self, bits: str) -> None:
        """Bits as text."""
        self._parts.append(bits)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __str__(self) -> str:
        return "".join(self._parts)

    def whole(self) -> bytes:
        """The bits as bytes, zeros to the end of the last."""
        bits = str(self)
        return int(bits + "0" * (-len(bits) % 8) or "0", 2).to_bytes(-(-len(bits) // 8), "big")


class Reader:
    """The same bits, taken one after the other. IndexError where they end too early."""

    def __init__(self, whole: bytes) -> None:
        self._bits = bin(int.from_bytes(b"\x01" + whole, "big"))[3:]
        self._at = 0

    def take(self, size: int) -> int:
        """A number of so many bits."""
        end = self._at + size
        if end > len(self._bits):
            raise IndexError(end)
        bits, self._at = self._bits[self._at : end], end
        return int(bits, 2) if bits else 0

    def take_number(self) -> int:
        """A number that says its length."""
        size = self.take(LENGTH_BITS)
        return self.take(size - 1) | 1 << (size - 1) if size else 0

    def take_rice(self, count: int, k: int, *, follows: bool) -> list[int]:
        """So many numbers in Rice's code."""
        double, numbers = 2 << k, []
        for _ in range(count):
            if follows:
                k = ((double >> 1) * 2 // 3).bit_length()
            high = self._ones()
            u = self.take_number() if high == ESCAPE else high << k | self.take(k)
            double += u - (double >> 1)
            numbers.append(u)
        return numbers

    def end(self) -> None:
        """CodecError unless only the zeros of the last byte are left."""
        rest = self._bits[self._at :]
        if len(rest) > 7 or "1" in rest:
            raise CodecError("bits are left over")

    def _ones(self) -> int:
        """Ones up to the next zero, which is taken too, or ESCAPE of them."""
        zero = self._bits.find("0", self._at, self._at + ESCAPE)
        if zero < 0:
            if self._at + ESCAPE > len(self._bits):
                raise IndexError(self._at)
            self._at += ESCAPE
            return ESCAPE
        ones, self._at = zero - self._at, zero + 1
        return ones


def rice_bits(numbers: Sequence[int], k: int, *, follows: bool) -> int:
    """How many bits `put_rice` takes."""
    total, double = len(numbers) * (1 + k), 2 << k
    if not follows:
        highs = [u >> k for u in numbers]
        large = [u for u, high in zip(numbers, highs, strict=True) if high >= ESCAPE] if max(highs) >= ESCAPE else []
        return total + sum(highs) + sum(_escape_bits(u) - 1 - k - (u >> k) for u in large)
    total = 0
    for u in numbers:
        k = ((double >> 1) * 2 // 3).bit_length()
        double += u - (double >> 1)
        high = u >> k
        total += high + 1 + k if high < ESCAPE else _escape_bits(u)
    return total


def zigzag(number: int) -> int:
    """Signed to whole."""
    return number * 2 if number >= 0 else -number * 2 - 1


def unzigzag(u: int) -> int:
    """Whole to signed."""
    return u >> 1 if u & 1 == 0 else -(u >> 1) - 1


def number_bits(number: int) -> int:
    """How many bits `put_number` takes."""
    return LENGTH_BITS + max(0, number.bit_length() - 1)


def _escape_bits(u: int) -> int:
    return ESCAPE + number_bits(u)
