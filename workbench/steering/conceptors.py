"""Contrastive conceptors. Experimental: an outside group found no effect; show the spectrum-matched random control beside them.

Source: COAST, arXiv:2605.17144, after Jaeger 2014: ``C = R (R + a^-2 I)^-1``, ``NOT C = I - C``, ``A AND B = (A^-1 + B^-1 - I)^-1``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.steering.assets import Conceptor, Place

APERTURE: Final = 1.0
_FLOOR: Final = 1e-6
"""Eigenvalues are kept this far from 0 and 1, so that inverses exist."""

Matrix = NDArray[np.float64]


def conceptor_of(rows: NDArray[np.floating], aperture: float = APERTURE) -> Matrix:
    """Return the conceptor ``(d, d)`` of states ``(n, d)``, from their covariance around the mean.

    Raises:
        InvalidInput: fewer than two states, or an aperture that is not positive.
    """
    if len(rows) < 2 or not aperture > 0 or not np.isfinite(rows).all():
        raise InvalidInput("states for a conceptor", expected="at least two, finite, and an aperture above 0", found=f"{len(rows)}")
    covariance = np.cov(rows.astype(np.float64), rowvar=False)
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    values = np.clip(values, 0, None)
    return (vectors * (values / (values + aperture**-2))) @ vectors.T


def negation(conceptor: Matrix) -> Matrix:
    """Return ``I - C``."""
    return np.eye(len(conceptor)) - conceptor


def conjunction(first: Matrix, second: Matrix) -> Matrix:
    """Return the conceptor of what both keep."""
    inverse = np.linalg.inv(_inside(first)) + np.linalg.inv(_inside(second)) - np.eye(len(first))
    both = np.linalg.inv(inverse)
    return (both + both.T) / 2


def contrastive_conceptor(
    good: NDArray[np.floating], bad: NDArray[np.floating], *, name: str, place: Place, aperture: float = APERTURE
) -> Conceptor:
    """Return the conceptor of what good states fill and bad ones do not; errors as :func:`conceptor_of`."""
    matrix = conjunction(conceptor_of(good, aperture), negation(conceptor_of(bad, aperture)))
    measures = {"n_good": float(len(good)), "n_bad": float(len(bad)), "quota": float(np.trace(matrix) / len(matrix))}
    return Conceptor(name, place, matrix.astype(np.float32), f"good and not bad states, aperture {aperture:g}", measures)


def random_conceptor(conceptor: Conceptor, rng: np.random.Generator) -> Conceptor:
    """Return the control: the same eigenvalues on random axes."""
    values = np.linalg.eigvalsh(conceptor.matrix.astype(np.float64))
    axes, triangle = np.linalg.qr(rng.normal(size=conceptor.matrix.shape))
    axes = axes * np.sign(np.diag(triangle))
    matrix = ((axes * values) @ axes.T).astype(np.float32)
    return Conceptor(f"random like {conceptor.name}", conceptor.place, matrix, "random axes, equal spectrum")


def _inside(conceptor: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh((conceptor + conceptor.T) / 2)
    return (vectors * np.clip(values, _FLOOR, 1 - _FLOOR)) @ vectors.T
