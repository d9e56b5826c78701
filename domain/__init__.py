"""What a trading desk talks about: pure types and rules, no input or output."""
