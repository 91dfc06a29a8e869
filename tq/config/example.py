"""config.example.yaml, made from the settings themselves: `tq config example > config.example.yaml`."""

import json

from tq.config.settings import all_settings, section_meaning

_HEAD = """\
# Every setting of tq with its default. Copy it to ./tq.yaml or /etc/tq/tq.yaml, or name it with --config or TQ_CONFIG.
# What is left out keeps its default. An environment variable is stronger than this file, a flag stronger still;
# the variable of broker.port is TQ_BROKER_PORT, and so on. docs/configuration.md says more.
"""


def example_yaml() -> str:
    """The text of the file."""
    lines = [_HEAD.rstrip("\n")]
    section = ""
    for setting in all_settings():
        if setting.section != section:
            section = setting.section
            lines += ["", f"# {section_meaning(section)}", f"{section}:"]
        value = json.dumps(setting.default)  # the scalars of JSON are scalars of YAML
        lines += [f"  # {setting.description} ({setting.expected})", f"  {setting.name}: {value}"]
    return "\n".join(lines) + "\n"
