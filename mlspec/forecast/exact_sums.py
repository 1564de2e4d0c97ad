"""Sums of numbers that do not depend on the order of the numbers, so that parts of a panel can be added one after the other.

Each number is cut into digits of 32 bits, which a float holds exactly. The digits are added as integers, which is exact too. Only
each total is rounded, and always in the same way.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_DIGIT = 32  # bits: the digits of two thousand million numbers add up to no more than 63 bits


class ExactSums:
    """Sums by place. All numbers have to be finite."""

    def __init__(self, places: int) -> None:
        """Begin with zero at each of `places`."""
        self._places = places
        self._digits: dict[int, npt.NDArray[np.int64]] = {}  # by the power of two of the digit's unit

    def add(self, places: npt.NDArray[np.int64], numbers: npt.NDArray[np.float64]) -> None:
        """Add each number at its place."""
        rest = numbers
        power = _DIGIT * int(np.frexp(np.abs(rest).max(initial=0.0))[1] // _DIGIT)
        while rest.any():
            digits = np.trunc(np.ldexp(rest, -power))
            rest = rest - np.ldexp(digits, power)
            sums = self._digits.setdefault(power, np.zeros(self._places, dtype="int64"))
            np.add.at(sums, places, digits.astype("int64"))
            power -= _DIGIT

    def totals(self) -> npt.NDArray[np.float64]:
        """Return the sum at each place."""
        totals = np.zeros(self._places)
        for power in sorted(self._digits):
            totals += np.ldexp(self._digits[power].astype("float64"), power)
        return totals
