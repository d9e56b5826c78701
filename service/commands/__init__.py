"""One module per subcommand of `analyst`; heavy imports stand inside the functions."""
