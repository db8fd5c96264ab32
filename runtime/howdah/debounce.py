"""Debounce as it is said on a task: of enqueues that come in quick succession the last one counts."""

from dataclasses import KW_ONLY, dataclass

from .duration import Duration, seconds
from .errors import ConfigurationError
from .limits import Key, check_key

DEBOUNCE = "/debounce"
"""What a producer gives the key under, beside those of limits."""


@dataclass(frozen=True)
class Debounce:
    """A run starts `wait` after the last enqueue with its key, with what that one gave; until a node has it, each further enqueue
    puts it off and answers with it.

    wait: how long another one is waited for. max_wait: at most so long after the first one, however many come; default ten times
    wait. key: which enqueues are of a kind: a field path into the arguments ("user_id", "user.id"), or a function that takes the
    task's arguments as its own function does and returns text, a number or a UUID; default all of the task.
    """

    wait: Duration
    _: KW_ONLY
    max_wait: Duration | None = None
    key: Key | None = None

    def __post_init__(self) -> None:
        if seconds(self.wait) == 0:
            raise ConfigurationError("debounce=0 waits for no other enqueue: say how long, as in debounce='30s', or leave it out")
        if self.max_wait is not None and seconds(self.max_wait) < seconds(self.wait):
            raise ConfigurationError(
                f"max_wait={self.max_wait!r} of {self} is shorter than what it waits for each enqueue: make it longer, or wait for less"
            )
        check_key(self, "key", self.key)

    def __str__(self) -> str:
        return f"Debounce({self.wait!r})"

    def terms(self) -> dict[str, float]:
        """How long, in seconds, as far as it says so."""
        longest = {} if self.max_wait is None else {"max": seconds(self.max_wait)}
        return {"wait": seconds(self.wait), **longest}


def debounce_of(said: Debounce | Duration | None) -> Debounce | None:
    """What a task says in short, in full."""
    return said if said is None or isinstance(said, Debounce) else Debounce(said)
