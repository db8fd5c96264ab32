"""For tests of programs that use howdah: work that runs when the test says so, a clock that it moves, and a database for each test.

`pytest_plugins = ["howdah.testing.plugin"]` gives the fixtures howdah_server, howdah_dsn and howdah_stage.
"""

from .databases import Databases
from .stage import Enqueued, Stage

__all__ = ["Databases", "Enqueued", "Stage"]
