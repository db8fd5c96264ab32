"""The suite, laid out as the package is."""
