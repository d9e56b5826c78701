"""Server-rendered pages over the same stores as the REST routes."""
