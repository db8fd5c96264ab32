"""Finds the App that `howdah worker module:jobs` means, and says what there is where it is not."""

import difflib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType

import click

from ..app import App
from ..errors import ConfigurationError, HowdahError
from ..registrar import Tasks

_WEB = ("FastAPI", "Litestar", "Quart", "Flask", "Starlette")
"""Classes of web apps, which stand beside an App and are often called `app`. By name: none of them is imported for this."""


def find_app(target: str) -> App:
    """The App that `module:attribute` names; the single one of a module named alone. ConfigurationError says what was found.

    The working directory is searched first, as uvicorn does.
    """
    if not sys.path or sys.path[0] not in ("", str(Path.cwd())):
        sys.path.insert(0, str(Path.cwd()))
    name, _, attribute = target.partition(":")
    if name.endswith(".py") or "/" in name or not all(part.isidentifier() for part in name.split(".")):
        dotted = ".".join(Path(name.removesuffix(".py")).parts).lstrip("./")
        meant = f"{dotted}:{attribute or 'jobs'}"
        raise ConfigurationError(f"{target!r} is not of the form module:attribute; name the module as in an import: {meant}")
    module = _imported(name)
    return _attribute(module, attribute) if attribute else _only(module)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise _broken(name, error) from error
        raise ConfigurationError(_inside_of_a_module(error.name) or _missing(name, error.name)) from error
    except HowdahError:
        raise
    except Exception as error:
        raise _broken(name, error) from error


def _broken(name: str, error: Exception) -> ConfigurationError:
    """An error inside of the user's module: their frames are shown, the machinery of imports is not."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename and f.filename != __file__]
    click.echo("".join(traceback.format_list(frames)), err=True, nl=False)
    text = "".join(traceback.format_exception_only(error)).strip()
    return ConfigurationError(f"{name} was found, but importing it failed: {text}")


def _inside_of_a_module(at: str) -> str | None:
    """What to say of a name that stands in a module, with a dot where the colon belongs; None: it is not that."""
    parent, _, last = at.rpartition(".")
    module = sys.modules.get(parent)
    if module is None or hasattr(module, "__path__"):
        return None
    guess = f"; did you mean {parent}:{last}?" if hasattr(module, last) else ""
    return f"there is no module {at!r}: {parent} is a module and no package{guess}"


def _missing(name: str, at: str) -> str:
    parent, _, last = at.rpartition(".")
    folder = Path.cwd().joinpath(*parent.split(".")) if parent else Path.cwd()
    entries = folder.iterdir() if folder.is_dir() else ()
    beside = [entry.stem for entry in entries if entry.suffix == ".py" or (entry / "__init__.py").is_file()]
    close = difflib.get_close_matches(last, beside, 1)
    guess = f"; did you mean {f'{parent}.' if parent else ''}{close[0]}?" if close else ""
    where = f"in the package {parent}" if parent else f"in {Path.cwd()} or on Python's path"
    return f"there is no module {at!r} {where}{guess}" + ("" if at == name else f" ({name!r} was asked for)")


def _apps(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, App)]


def _only(module: ModuleType) -> App:
    names = _apps(module)
    if len({id(getattr(module, name)) for name in names}) == 1:
        found: App = getattr(module, names[0])
        return found
    if names:
        raise ConfigurationError(
            f"{module.__name__} holds {len(names)} Apps: {', '.join(names)}. Say which, as in {module.__name__}:{names[0]}"
        )
    public = [name for name in vars(module) if not name.startswith("_")]
    beside = f"it has {', '.join(public[:10])}" if public else "it is empty"
    raise ConfigurationError(f"{module.__name__} holds no howdah.App ({beside}); make one at its top level: jobs = App()")


def _attribute(module: ModuleType, attribute: str) -> App:
    found: object = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            close = difflib.get_close_matches(part, [name for name in dir(found) if not name.startswith("_")], 1)
            guess = f"; did you mean {close[0]}?" if close else "."
            raise ConfigurationError(f"{module.__name__} has no {attribute!r}{guess} {_beside(module)}")
        found = getattr(found, part)
    if isinstance(found, App):
        return found
    raise ConfigurationError(f"{module.__name__}:{attribute} is {_kind(found)}, not a howdah.App. {_beside(module)}")


def _kind(found: object) -> str:
    """What it is, and what it is there for where it is easily taken for an App."""
    if isinstance(found, ModuleType):
        return f"the module {found.__name__}"
    if isinstance(found, type):
        return f"the class {found.__module__}.{found.__qualname__}"
    if isinstance(found, Tasks):
        return "a howdah.Tasks, which an App includes"
    for kind in type(found).__mro__:
        if kind.__name__ in _WEB:
            return f"a {kind.__name__} app ({type(found).__module__}.{type(found).__qualname__}), which serves HTTP"
    return f"a {type(found).__module__}.{type(found).__qualname__}"


def _beside(module: ModuleType) -> str:
    names = [f"{module.__name__}:{name}" for name in _apps(module)]
    if not names:
        return "The module holds no App."
    return f"The App in it is {names[0]}." if len(names) == 1 else f"The Apps in it are {', '.join(names)}."
