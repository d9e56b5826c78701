"""A model server of our own: answers like a model, or misbehaves as told."""
