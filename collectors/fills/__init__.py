"""Fills, orders and positions of a desk, and the money that they made."""
