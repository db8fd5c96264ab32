"""Postgres without an installation: one server per directory, shared by every process that wants it, gone with the last of them."""

from .binaries import client_program
from .server import Embedded, default_base

__all__ = ["Embedded", "client_program", "default_base"]
