"""Diagnosis: evidence, reasoners, the investigation graph and the chat."""
