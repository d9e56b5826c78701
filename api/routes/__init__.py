"""REST routes, one module per noun of the contract."""
