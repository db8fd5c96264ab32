"""Each sentence of the contract has a test named after it."""
