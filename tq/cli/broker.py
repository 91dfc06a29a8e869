"""`tq broker`: the broker alone."""

from tq.cli.options import ConfigFile
from tq.cli.serving import (
    DataDir,
    Ephemeral,
    GrpcPort,
    Host,
    Insecure,
    LogFormat,
    LogLevel,
    NoGrpc,
    NoRest,
    Port,
    RestPort,
    Socket,
    Sync,
    broker_flags,
    edge_flags,
    run_loop,
)


def broker(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    socket: Socket = None,
    rest_port: RestPort = None,
    has_no_rest: NoRest = False,
    grpc_port: GrpcPort = None,
    has_no_grpc: NoGrpc = False,
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
    from tq.config.loading import load_settings
    from tq.server.broker import run_broker

    flags = broker_flags(host, port, data_dir, socket, insecure, sync, log_level, log_format)
    settings = load_settings(
        config, flags=[*flags, *edge_flags(rest_port, has_no_rest, grpc_port, has_no_grpc)]
    ).settings
    run_loop(run_broker(settings, is_ephemeral=is_ephemeral))
