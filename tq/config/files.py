"""The YAML file of settings: where it lies, and what is in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tq.model.errors import ConfigInvalid

SEARCH_PATHS = (Path("tq.yaml"), Path("/etc/tq/tq.yaml"))


def find_file(
    file: str | Path | None, environment: Mapping[str, str], search: Sequence[Path] | None = None
) -> Path | None:
    """The file to read: `file`, or the one that TQ_CONFIG names, or the first that exists of `search`.

    Raises:
        ConfigInvalid: the file that was asked for does not exist.
    """
    for source, named in (("", file), ("TQ_CONFIG: ", environment.get("TQ_CONFIG"))):
        if named:
            path = Path(named)
            if not path.is_file():
                raise ConfigInvalid(f"{source}there is no file {path}", hint="`tq config example` prints one")
            return path
    for path in SEARCH_PATHS if search is None else search:
        if path.is_file():
            return path
    return None


def read_file(path: Path, *, form: str = "`tq config example` shows the form") -> dict[str, Any]:
    """What the file sets, by dotted key, unchecked.

    Args:
        form: where an error says that the right form is shown.

    Raises:
        ConfigInvalid: not readable, not YAML, not sections of settings, or a key that stands there twice.
    """
    import yaml  # only where there is a file: 20 ms

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        why = cause.strerror if isinstance(cause, OSError) else "it is not UTF-8"
        raise ConfigInvalid(f"{path} cannot be read: {why}") from None
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        _refuse_doubles(path, node)
        content = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as cause:
        raise ConfigInvalid(f"{path}: {_problem(cause)}", hint=form) from None
    finally:
        loader.dispose()

    values: dict[str, Any] = {}
    for section, settings in _mapping(str(path), content, form).items():
        for name, value in _mapping(f"{path}: {section}", settings, form).items():
            values[f"{section}.{name}"] = value
    return values


def _mapping(where: str, value: object, form: str) -> dict[object, object]:
    if value is None:  # a section without settings
        return {}
    if not isinstance(value, dict):
        raise ConfigInvalid(f"{where}: {str(value)[:60]!r} is not a mapping", hint=form)
    return value


def _refuse_doubles(path: Path, root: Any) -> None:
    """YAML's reader silently takes the last of two equal keys."""
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if node is None or node.id != "mapping":
            continue
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise ConfigInvalid(f"{path}: line {key.start_mark.line + 1}: {name} stands there twice")
            seen.add(name)
            nodes.append(value)


def _problem(cause: Any) -> str:
    mark = getattr(cause, "problem_mark", None)
    where = "" if mark is None else f"line {mark.line + 1}: "
    return f"{where}not YAML: {getattr(cause, 'problem', None) or cause}"
