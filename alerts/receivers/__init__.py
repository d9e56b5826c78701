"""One module per outside service that takes an alert."""
