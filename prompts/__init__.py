"""Prompt files and runbooks, versioned by content hash."""
