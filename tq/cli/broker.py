"""`tq broker`: the broker alone."""

from tq.cli.options import ConfigFile
from tq.cli.serving import (
    DataDir,
    Ephemeral,
    Host,
    Insecure,
    LogFormat,
    LogLevel,
    Port,
    Socket,
    Sync,
    run_loop,
)


def broker(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    socket: Socket = None,
    insecure: Insecure = None,
    sync: Sync = None,
    is_ephemeral: Ephemeral = False,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    config: ConfigFile = None,
) -> None:
    """Run a broker until Ctrl-C or SIGTERM. Logs to stderr; a busy port is an error.

    \b
    tq broker --data-dir /var/lib/tq
    tq broker --config /etc/tq/tq.yaml --log-format json

    All settings: tq config show. Stopped twice it ends at once, which loses nothing that was acknowledged.
    """
    from tq.config.loading import Flag, load_settings
    from tq.server.broker import run_broker

    flags = (
        Flag("--host", "broker.host", host),
        Flag("--port", "broker.port", port),
        Flag("--data-dir", "persistence.data_dir", None if data_dir is None else str(data_dir)),
        Flag("--socket", "broker.socket", socket),
        Flag("--insecure", "broker.insecure", insecure),
        Flag("--sync", "persistence.sync", sync),
        Flag("--log-level", "log.level", log_level),
        Flag("--log-format", "log.format", log_format),
    )
    settings = load_settings(config, flags=flags).settings
    run_loop(run_broker(settings, is_ephemeral=is_ephemeral))
