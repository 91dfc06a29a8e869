"""`module:app` on the command line to the application that it names."""

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TextIO

from tq.app.app import App
from tq.model.errors import InvalidArgument

NAME_DEFAULT = "app"
_HINT = "name it as module:app, such as shop.tasks:app, and run the worker where `import shop.tasks` works"


def load_app(path: str, errors: TextIO) -> App:
    """Import the application, from the working directory as well, and check its tasks.

    Args:
        path: "package.module:name"; ":name" may be left out if it is "app".
        errors: where the traceback of a module that fails to import is written.

    Raises:
        InvalidArgument: names `path`, and says why it cannot be loaded.
    """
    module_name, _, name = path.partition(":")
    name = name or NAME_DEFAULT
    if not all(part.isidentifier() for part in module_name.split(".")) or not name.isidentifier():
        raise InvalidArgument(f"{path!r} does not name an application", hint=_HINT)
    if (folder := os.getcwd()) not in sys.path:  # noqa: PTH109 - sys.path holds texts
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as cause:
        if cause.name is not None and (module_name == cause.name or module_name.startswith(f"{cause.name}.")):
            raise InvalidArgument(f"cannot load {path}: there is no module {cause.name!r}", hint=_HINT) from None
        raise _failed(path, cause, errors) from cause
    except Exception as cause:  # whatever the code of the module raises
        raise _failed(path, cause, errors) from cause
    found = getattr(module, name, None)
    if found is None:
        apps = [f"{module_name}:{key}" for key, value in vars(module).items() if isinstance(value, App)]
        hint = f"did you mean {', '.join(apps)}?" if apps else "make one there: app = tq.App('name')"
        raise InvalidArgument(f"cannot load {path}: module {module_name!r} has no {name!r}", hint=hint)
    if not isinstance(found, App):
        raise InvalidArgument(f"cannot load {path}: it is a {type(found).__name__}, not a tq.App", hint=_HINT)
    if not found.tasks:
        raise InvalidArgument(
            f"cannot load {path}: it has no tasks", hint="import the modules that declare them where the app is made"
        )
    found.check()
    return found


def _failed(path: str, cause: Exception, errors: TextIO) -> InvalidArgument:
    traceback.print_exception(cause, file=errors)
    last = traceback.extract_tb(cause.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return InvalidArgument(f"cannot load {path}: {type(cause).__name__}: {cause} ({where})", hint="see its traceback")
