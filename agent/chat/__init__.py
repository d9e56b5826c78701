"""Questions about the desk in plain words: read without a model, answered from stored facts."""
