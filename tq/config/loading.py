"""The settings in force: defaults, then a YAML file, then the environment, then flags; the later wins."""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from tq.config.files import find_file, read_file
from tq.config.settings import Setting, all_settings
from tq.model.credentials import certificate_roles
from tq.model.errors import ConfigInvalid, InvalidArgument
from tq.model.settings import Settings

DEFAULT = "default"
FRAME_OVERHEAD_BYTES = 64 << 10
"""What a frame with one payload needs beside it: names, options, numbers."""

_KUBERNETES_HINT = (
    "Kubernetes sets variables like this one for a service whose name begins with tq-: "
    "put enableServiceLinks: false into the pod"
)


class Flag(msgspec.Struct, frozen=True):
    """A setting on the command line: its flag, such as --port, its dotted key, and its value; None: not given."""

    name: str
    key: str
    value: str | int | bool | None


class LoadedSettings(msgspec.Struct, frozen=True):
    """The settings, the file that was read, and where each comes from.

    `sources` has every dotted key; its values are "default", the path of the file, or the name of the variable or flag.
    """

    settings: Settings
    file: str | None
    sources: dict[str, str]


def load_settings(
    file: str | Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Iterable[Flag] = (),
    search: Sequence[Path] | None = None,
) -> LoadedSettings:
    """Read the settings.

    Args:
        file: of --config; None: TQ_CONFIG, else the first that exists of ./tq.yaml and /etc/tq/tq.yaml.
        environment: None: that of the process.
        search: None: the two places above.

    Raises:
        ConfigInvalid: names the file, variable or flag, the key, the value and what was expected.
    """
    environment = os.environ if environment is None else environment
    known = {setting.key: setting for setting in all_settings()}
    values: dict[str, object] = {}
    sources = dict.fromkeys(known, DEFAULT)

    found = find_file(file, environment, search)
    if found is not None:
        for key, value in read_file(found).items():
            values[key] = _checked(str(found), key, known, value, is_text=False)
            sources[key] = str(found)
    for setting in known.values():
        if setting.variable in environment:
            values[setting.key] = _from_environment(setting, environment[setting.variable])
            sources[setting.key] = setting.variable
    _refuse_unknown_variables(environment, known.values())
    for flag in flags:
        if flag.value is not None:
            values[flag.key] = _checked(flag.name, flag.key, known, flag.value, is_text=True)
            sources[flag.key] = flag.name

    settings = _assemble(values)
    _check_together(settings, sources)
    return LoadedSettings(settings, None if found is None else str(found), sources)


def _checked(source: str, key: str, known: Mapping[str, Setting], value: object, *, is_text: bool) -> object:
    setting = known.get(key)
    if setting is None:
        raise ConfigInvalid(f"{source}: {key} is not a setting", hint=_did_you_mean(key, known))
    try:
        return msgspec.convert(value, setting.type, strict=not is_text)
    except msgspec.ValidationError:
        raise ConfigInvalid(f"{source}: {key}: {_shown(value)} is not {setting.expected}") from None


def _from_environment(setting: Setting, text: str) -> object:
    try:
        return msgspec.convert(text, setting.type, strict=False)
    except msgspec.ValidationError:
        raise ConfigInvalid(
            f"{setting.variable}: {setting.key}: {_shown(text)} is not {setting.expected}",
            hint=_KUBERNETES_HINT if text.startswith("tcp://") else "",
        ) from None


def _refuse_unknown_variables(environment: Mapping[str, str], known: Iterable[Setting]) -> None:
    variables = {setting.variable for setting in known}
    prefixes = tuple({f"TQ_{setting.section.upper()}_" for setting in known})
    for variable in environment:
        if variable.startswith(prefixes) and variable not in variables:
            is_link = "_SERVICE_" in variable or "_PORT_" in variable
            raise ConfigInvalid(
                f"{variable} is not a setting",
                hint=_KUBERNETES_HINT if is_link else _did_you_mean(variable, variables),
            )


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    choices = list(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if not close:  # the right name in the wrong section, or in none
        last = name.rpartition(".")[2]
        close = [choice for choice in choices if choice.rpartition(".")[2] == last][:1]
    return f"did you mean {close[0]}?" if close else "`tq config show` lists all settings"


def _assemble(values: Mapping[str, object]) -> Settings:
    sections: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    return msgspec.convert(sections, Settings)


def _check_together(settings: Settings, sources: Mapping[str, str]) -> None:
    broker = settings.broker
    if broker.max_frame_bytes < broker.max_payload_bytes + FRAME_OVERHEAD_BYTES:
        key = "broker.max_frame_bytes"
        if sources[key] == DEFAULT:
            key = "broker.max_payload_bytes"
        raise ConfigInvalid(
            f"{sources[key]}: broker.max_frame_bytes: {broker.max_frame_bytes} is not at least "
            f"broker.max_payload_bytes ({broker.max_payload_bytes}) and {FRAME_OVERHEAD_BYTES} bytes more",
            hint="raise broker.max_frame_bytes or lower broker.max_payload_bytes",
        )
    for key, is_set, needed, is_there in (
        ("broker.tls_key", broker.tls_key, "broker.tls_cert", broker.tls_cert),
        ("broker.tls_client_ca", broker.tls_client_ca, "broker.tls_cert", broker.tls_cert),
        (
            "api.grpc_client_certificates",
            settings.api.grpc_client_certificates,
            "broker.tls_client_ca",
            broker.tls_client_ca,
        ),
    ):
        if is_set and not is_there:
            raise ConfigInvalid(f"{sources[key]}: {key} is set and {needed} is not", hint="set both or none")
    try:
        certificate_roles(settings.security.certificate_roles)
    except InvalidArgument as error:
        name = "security.certificate_roles"
        raise ConfigInvalid(f"{sources[name]}: {name}: {error.message}", hint=error.hint) from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
