"""Examines a database, the way to it and this process, and says what is not as it should be, each with its mend.

It reads only: each look is a short transaction of its own with a bound on its time, takes no lock that anybody waits for, and reads no
big table. What a look answers is judged by pure functions, one file for each area.
"""

from .examine import examine
from .finding import Examination, Finding, Severity, Unseen

__all__ = ["Examination", "Finding", "Severity", "Unseen", "examine"]
