"""Reasoners turn a ledger of facts into a diagnosis."""
