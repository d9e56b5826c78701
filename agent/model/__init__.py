"""The door to language models: endpoints, what may go wrong with them, and what they may cost."""
