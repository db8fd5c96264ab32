"""Some seeds in a row, in whatever process."""

from .bugs import BUGS
from .world import Report, simulate


def histories(seeds: range, bug: str | None) -> list[Report]:
    """A history of each seed, with this bug planted, if any."""
    plant = next((one for one in BUGS if one.__name__ == bug), None)
    return [simulate(seed, plant=plant) for seed in seeds]
