from pathlib import Path

import yaml

import tq
from tq.config.example import example_yaml
from tq.config.loading import load_settings
from tq.config.settings import all_settings
from tq.model.settings import Settings

ROOT = Path(tq.__file__).parent.parent
EXAMPLE = ROOT / "config.example.yaml"


def test_the_shipped_example_is_what_the_code_says() -> None:
    """If this fails: `tq config example > config.example.yaml`."""
    assert EXAMPLE.read_text() == example_yaml()


def test_the_example_holds_every_setting_with_its_default() -> None:
    content = yaml.safe_load(example_yaml())

    assert {f"{section}.{name}": value for section, values in content.items() for name, value in values.items()} == {
        setting.key: setting.default for setting in all_settings()
    }
    assert list(content) == ["broker", "api", "persistence", "security", "cluster", "worker", "log"]


def test_the_example_can_be_used_as_it_is() -> None:
    loaded = load_settings(EXAMPLE, environment={})

    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {str(EXAMPLE)}


def test_every_setting_has_one_line_of_meaning() -> None:
    for setting in all_settings():
        assert setting.description, setting.key
        assert "\n" not in setting.description
        assert setting.expected


def test_the_documentation_names_every_source_and_section() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()

    for words in (
        "--config",
        "TQ_CONFIG",
        "./tq.yaml",
        "/etc/tq/tq.yaml",
        "TQ_URL",
        "config.example.yaml",
        "TQ_BROKER_PORT",
    ):
        assert words in text
    for section in {setting.section for setting in all_settings()}:
        assert f"`{section}`" in text
