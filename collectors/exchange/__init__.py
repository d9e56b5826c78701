"""Venues through ccxt: market data, and an account's fills, orders and positions."""
