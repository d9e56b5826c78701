"""Webhooks of others: who may send them, what they say, and what follows from it."""
