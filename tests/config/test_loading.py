from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.config.files import read_file
from tq.config.loading import Flag, LoadedSettings, load_settings
from tq.config.settings import Setting, all_settings
from tq.model.errors import ConfigInvalid
from tq.model.settings import Settings


def load(
    tmp_path: Path, text: str | None = None, environment: Mapping[str, str] | None = None, *flags: Flag
) -> LoadedSettings:
    file = None
    if text is not None:
        file = tmp_path / "tq.yaml"
        file.write_text(text)
    return load_settings(file, environment=environment or {}, flags=flags, search=[])


def refused(tmp_path: Path, text: str | None = None, environment: Mapping[str, str] | None = None) -> ConfigInvalid:
    with pytest.raises(ConfigInvalid) as caught:
        load(tmp_path, text, environment)
    return caught.value


class TestSources:
    def test_without_any_source_all_are_defaults(self, tmp_path: Path) -> None:
        loaded = load(tmp_path)

        assert loaded.settings == Settings()
        assert loaded.file is None
        assert set(loaded.sources.values()) == {"default"}
        assert loaded.sources.keys() == {setting.key for setting in all_settings()}

    def test_flags_are_stronger_than_the_environment_and_that_than_the_file(self, tmp_path: Path) -> None:
        loaded = load(
            tmp_path,
            "broker:\n  port: 1\n  host: 10.0.0.1\n  insecure: true\nlog:\n  level: debug\n",
            {"TQ_BROKER_PORT": "2", "TQ_BROKER_HOST": "10.0.0.2"},
            Flag("--port", "broker.port", 3),
            Flag("--log-level", "log.level", None),
        )

        broker = loaded.settings.broker
        assert (broker.port, broker.host, broker.insecure, broker.max_queues) == (3, "10.0.0.2", True, 10_000)
        assert loaded.settings.log.level == "debug"
        assert {key: source for key, source in loaded.sources.items() if source != "default"} == {
            "broker.port": "--port",
            "broker.host": "TQ_BROKER_HOST",
            "broker.insecure": str(tmp_path / "tq.yaml"),
            "log.level": str(tmp_path / "tq.yaml"),
        }

    def test_the_environment_of_the_process_is_the_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TQ_WORKER_CONCURRENCY", "17")

        assert load_settings(search=[]).settings.worker.concurrency == 17

    @pytest.mark.parametrize(
        ("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False), ("True", True)]
    )
    def test_true_and_false_are_written_as_people_write_them(self, tmp_path: Path, text: str, value: bool) -> None:
        assert load(tmp_path, None, {"TQ_BROKER_INSECURE": text}).settings.broker.insecure is value

    @given(st.sampled_from([setting for setting in all_settings() if isinstance(setting.default, int)]))
    def test_every_number_can_be_set_by_its_variable(self, setting: Setting) -> None:
        text = str(setting.default)

        loaded = load_settings(environment={setting.variable: text}, search=[])

        assert loaded.sources[setting.key] == setting.variable
        assert getattr(getattr(loaded.settings, setting.section), setting.name) == setting.default

    def test_empty_files_and_sections_set_nothing(self, tmp_path: Path) -> None:
        assert load(tmp_path, "").settings == Settings()
        assert load(tmp_path, "# nothing\nbroker:\nworker: {}\n").settings == Settings()


class TestFiles:
    def test_the_first_file_that_exists_is_read(self, tmp_path: Path) -> None:
        first, second, third = (tmp_path / name for name in ("1.yaml", "2.yaml", "3.yaml"))
        second.write_text("broker: {port: 2}")
        third.write_text("broker: {port: 3}")

        loaded = load_settings(environment={}, search=[first, second, third])

        assert (loaded.settings.broker.port, loaded.file) == (2, str(second))

    def test_the_file_that_is_asked_for_is_read_before_any_other(self, tmp_path: Path) -> None:
        asked, named, found = (tmp_path / name for name in ("asked.yaml", "named.yaml", "found.yaml"))
        for port, path in enumerate((asked, named, found), start=1):
            path.write_text(f"broker: {{port: {port}}}")

        environment = {"TQ_CONFIG": str(named)}
        assert load_settings(str(asked), environment=environment, search=[found]).settings.broker.port == 1
        assert load_settings(environment=environment, search=[found]).settings.broker.port == 2
        assert load_settings(environment={}, search=[found]).settings.broker.port == 3

    def test_a_file_that_is_asked_for_and_missing_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigInvalid, match=r"there is no file .*/none\.yaml"):
            load_settings(tmp_path / "none.yaml", environment={})
        with pytest.raises(ConfigInvalid, match="TQ_CONFIG: there is no file"):
            load_settings(environment={"TQ_CONFIG": str(tmp_path)})

    def test_the_usual_places_are_searched(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "tq.yaml").write_text("broker: {port: 7}")

        assert load_settings(environment={}).settings.broker.port == 7

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("broker: [", "line 1: not YAML: "),
            ("broker:\n\tport: 1", "line 2: not YAML: found character '\\t'"),
            ("- broker", "is not a mapping"),
            ("broker: 7", "broker: '7' is not a mapping"),
            ("broker:\n  port: 1\n  port: 2\n", "line 3: port stands there twice"),
            ("log: {}\nbroker: {}\nlog: {}\n", "line 3: log stands there twice"),
            ("!!python/object/apply:os.system ['true']", "not YAML: could not determine a constructor"),
            ("a: 1\n---\nb: 2\n", "not YAML: but found another document"),
        ],
    )
    def test_what_is_not_a_file_of_settings_is_told_with_its_line(
        self, tmp_path: Path, text: str, message: str
    ) -> None:
        error = refused(tmp_path, text)

        assert message in error.message
        assert str(tmp_path / "tq.yaml") in error.message

    def test_bytes_that_are_no_text_are_told(self, tmp_path: Path) -> None:
        (tmp_path / "tq.yaml").write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigInvalid, match="cannot be read: it is not UTF-8"):
            read_file(tmp_path / "tq.yaml")

    def test_a_file_that_cannot_be_opened_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigInvalid, match="cannot be read: Is a directory"):
            read_file(tmp_path)


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            ("broker: {prot: 1}", "broker.prot is not a setting", "did you mean broker.port?"),
            ("brokr: {port: 1}", "brokr.port is not a setting", "did you mean broker.port?"),
            ("broker: {concurrency: 1}", "broker.concurrency is not a setting", "did you mean worker.concurrency?"),
            ("x: {y: 1}", "x.y is not a setting", "`tq config show` lists all settings"),
            ("broker: {port: 70000}", "broker.port: 70000 is not a whole number from 0 to 65535", ""),
            ("broker: {port: '6379'}", "broker.port: '6379' is not a whole number from 0 to 65535", ""),
            ("broker: {port: 6379.5}", "broker.port: 6379.5 is not a whole number", ""),
            ("broker: {port: }", "broker.port: None is not a whole number", ""),
            ("broker: {insecure: maybe}", "broker.insecure: 'maybe' is not true or false", ""),
            ("persistence: {sync: often}", "persistence.sync: 'often' is not one of always, interval, never", ""),
            ("persistence: {min_free_bytes: -1}", "min_free_bytes: -1 is not a whole number of at least 0", ""),
            ("worker: {name: 7}", "worker.name: 7 is not text", ""),
            ("worker: {name: [" + "x, " * 100 + "]}", "..." + " is not text", ""),
        ],
    )
    def test_a_wrong_setting_is_named_with_file_key_value_and_what_was_expected(
        self, tmp_path: Path, text: str, message: str, hint: str
    ) -> None:
        error = refused(tmp_path, text)

        assert error.message.startswith(f"{tmp_path}/tq.yaml: ")
        assert message in error.message
        assert error.hint == hint

    @pytest.mark.parametrize(
        ("variable", "value", "message", "hint"),
        [
            ("TQ_BROKER_PRT", "1", "TQ_BROKER_PRT is not a setting", "did you mean TQ_BROKER_PORT?"),
            ("TQ_BROKER_PORT", "many", "TQ_BROKER_PORT: broker.port: 'many' is not a whole number", ""),
            ("TQ_BROKER_PORT", "", "TQ_BROKER_PORT: broker.port: '' is not a whole number", ""),
            ("TQ_BROKER_PORT", "tcp://10.0.0.1:6379", "TQ_BROKER_PORT: broker.port", "enableServiceLinks: false"),
            ("TQ_BROKER_SERVICE_HOST", "10.0.0.1", "is not a setting", "enableServiceLinks: false"),
            ("TQ_BROKER_PORT_6379_TCP", "tcp://10.0.0.1:6379", "is not a setting", "enableServiceLinks: false"),
        ],
    )
    def test_a_wrong_variable_is_named(
        self, tmp_path: Path, variable: str, value: str, message: str, hint: str
    ) -> None:
        error = refused(tmp_path, None, {variable: value})

        assert message in error.message
        assert hint in error.hint

    def test_variables_of_others_are_left_alone(self, tmp_path: Path) -> None:
        environment = {"TQ_URL": "127.0.0.1:1", "TQ_ANYTHING": "1", "PATH": "/bin", "XTQ_BROKER_PORT": "x"}

        assert load(tmp_path, None, environment).settings == Settings()

    def test_a_wrong_flag_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigInvalid, match=r"^--port: broker.port: 99999 is not a whole number"):
            load(tmp_path, None, None, Flag("--port", "broker.port", 99_999))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("broker: {tls_key: k.pem}", "broker.tls_key is set and broker.tls_cert is not"),
            ("broker: {tls_client_ca: ca.pem}", "broker.tls_client_ca is set and broker.tls_cert is not"),
            (
                "broker: {tls_cert: c.pem}\napi: {grpc_client_certificates: true}",
                "api.grpc_client_certificates is set and broker.tls_client_ca is not",
            ),
        ],
    )
    def test_a_setting_that_needs_another_is_refused_without_it(self, tmp_path: Path, text: str, message: str) -> None:
        assert refused(tmp_path, text).message == f"{tmp_path}/tq.yaml: {message}"

    def test_payloads_must_fit_a_frame(self, tmp_path: Path) -> None:
        error = refused(tmp_path, "broker: {max_payload_bytes: 8388608}")
        assert error.message.startswith(f"{tmp_path}/tq.yaml: broker.max_frame_bytes: 8388608 is not at least")

        error = refused(tmp_path, None, {"TQ_BROKER_MAX_FRAME_BYTES": "4096"})
        assert error.message.startswith("TQ_BROKER_MAX_FRAME_BYTES: broker.max_frame_bytes: 4096 is not at least")
