"""The suite. A folder for each of the package, and some for what no single module promises."""
