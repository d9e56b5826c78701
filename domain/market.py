"""What a desk derives from prices, volumes and books; causal: a value never depends on later ones."""

import numpy as np

from domain.series import BoolArray, FloatArray, IntArray

BPS = 1e4


def _positive(values: FloatArray) -> FloatArray:
    values = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _trailing(values: FloatArray, window: int) -> FloatArray:
    """Shape (n, window): row t holds the values up to t, NaN before the first."""
    padded = np.concatenate([np.full(window, np.nan), np.asarray(values, dtype=np.float64)])
    rows: FloatArray = np.lib.stride_tricks.sliding_window_view(padded, window)[1:]
    return rows


def returns_bps(prices: FloatArray) -> FloatArray:
    """Change of each price against the one before, in basis points.

    Args:
        prices: shape (n,); what is missing or not positive is a gap.

    Returns:
        Shape (n,); NaN at the first and beside every gap.
    """
    known = _positive(prices)
    found = np.full(known.shape, np.nan)
    found[1:] = (known[1:] / known[:-1] - 1) * BPS
    return found


def realized_volatility_bps(returns: FloatArray, window: int) -> FloatArray:
    """Root mean square of the last returns: the size of a usual move per step, in basis points.

    Args:
        returns: shape (n,), in basis points; NaN is a gap.
        window: how many of the latest returns count.

    Returns:
        Shape (n,); NaN where fewer than half of the window is known.
    """
    rows = _trailing(returns, window)
    known = np.isfinite(rows)
    count = known.sum(axis=1)
    square = np.where(known, rows, 0.0) ** 2
    enough = count >= max(2, -(-window // 2))
    return np.where(enough, np.sqrt(square.sum(axis=1) / np.maximum(count, 1)), np.nan)


def ratio_to_usual(values: FloatArray, window: int) -> FloatArray:
    """Each value against the median of the `window` values before it, itself not among them.

    Args:
        values: shape (n,), such as volumes; NaN is a gap.
        window: how many of the values before count.

    Returns:
        Shape (n,); NaN where fewer than half of the window is known or its median is not positive.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return values.copy()
    before = np.concatenate([[np.nan], values[:-1]])
    rows = _trailing(before, window)
    enough = np.isfinite(rows).sum(axis=1) >= max(2, -(-window // 2))
    usual = np.full(values.shape, np.nan)
    if enough.any():
        usual[enough] = np.nanmedian(np.where(np.isfinite(rows[enough]), rows[enough], np.nan), axis=1)
    return values / np.where(usual > 0, usual, np.nan)


def basis_bps(price: FloatArray, reference: FloatArray) -> FloatArray:
    """How far a price stands above its reference (perpetual above spot, mark above index), in basis points.

    Args:
        price: shape (n,).
        reference: shape (n,).

    Returns:
        Shape (n,); NaN where either is missing or not positive.
    """
    return (_positive(price) / _positive(reference) - 1) * BPS


def divergence_bps(prices: FloatArray) -> FloatArray:
    """How far the dearest venue stands above the cheapest, in basis points of their median.

    Args:
        prices: shape (n_venues, n).

    Returns:
        Shape (n,); NaN where fewer than two venues have a price.
    """
    known = _positive(prices)
    enough = np.isfinite(known).sum(axis=0) >= 2
    found = np.full(known.shape[1], np.nan)
    some = known[:, enough]
    if some.size:
        found[enough] = (np.nanmax(some, axis=0) - np.nanmin(some, axis=0)) / np.nanmedian(some, axis=0) * BPS
    return found


def trailing_correlation(first: FloatArray, second: FloatArray, window: int) -> FloatArray:
    """Pearson's correlation of the latest values of two series, usually returns.

    Args:
        first: shape (n,); NaN is a gap.
        second: shape (n,).
        window: how many of the latest pairs count.

    Returns:
        Shape (n,), in [-1, 1]; NaN where fewer than half of the pairs (at least 3) are known, or where one of
        the two stands still.
    """
    a, b = _trailing(first, window), _trailing(second, window)
    both = np.isfinite(a) & np.isfinite(b)
    count = both.sum(axis=1)
    a, b = _centred(a, both, count), _centred(b, both, count)
    product = (a * b).sum(axis=1)
    size = np.sqrt((a * a).sum(axis=1)) * np.sqrt((b * b).sum(axis=1))
    usable = (count >= max(3, -(-window // 2))) & (size > 0)
    return np.where(usable, np.clip(product / np.where(usable, size, 1.0), -1.0, 1.0), np.nan)


def _centred(rows: FloatArray, known: BoolArray, count: IntArray) -> FloatArray:
    filled = np.where(known, rows, 0.0)
    mean = filled.sum(axis=1) / np.maximum(count, 1)
    moved: FloatArray = np.where(known, filled - mean[:, None], 0.0)
    # What is left of a constant after its mean was taken away is rounding, not movement.
    size = np.abs(filled).max(axis=1, initial=0.0)[:, None]
    return np.where(np.abs(moved) <= 1e-12 * size, 0.0, moved)


def book_imbalance(bid_depth: float, ask_depth: float) -> float:
    """From -1 (only offers) to 1 (only bids); NaN where the book is empty."""
    total = bid_depth + ask_depth
    return (bid_depth - ask_depth) / total if total > 0 else float("nan")
