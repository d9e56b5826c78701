"""Questions with facts that an answer must hold, computed from the data and not by the chat."""
