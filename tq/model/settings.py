"""Every setting with its default, by section. config.example.yaml shows the same, and a test compares the two.

`description` is the one line that config.example.yaml, `tq config show` and the docs print.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65_535)]


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may connect, and how much is taken."""

    host: Annotated[str, Meta(description="address to listen on; another than loopback needs TLS and credentials")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="TCP port of the native protocol; 0 takes a free one")] = 6379
    socket: Annotated[
        str, Meta(description="path of the unix socket; empty: tq.sock in the data directory; none: no socket")
    ] = ""
    insecure: Annotated[
        bool, Meta(description="allow an address that is not loopback without TLS or without credentials")
    ] = False
    tls_cert: Annotated[
        str, Meta(description="PEM file of the certificate, with its chain; the TCP port then speaks TLS alone")
    ] = ""
    tls_key: Annotated[str, Meta(description="PEM file of its private key; empty: it is in tls_cert")] = ""
    tls_client_ca: Annotated[
        str, Meta(description="PEM file of the CAs whose client certificates count; see security.certificate_roles")
    ] = ""
    max_connections: Annotated[int, Meta(ge=1, le=100_000, description="connections held at once")] = 1_000
    queue_depth_threshold: Annotated[
        int, Meta(ge=0, description="waiting tasks in one queue above which submits are refused; 0: no limit")
    ] = 100_000
    max_payload_bytes: Annotated[int, Meta(ge=1, le=64 << 20, description="largest payload or result of a task")] = (
        1 << 20
    )
    max_frame_bytes: Annotated[int, Meta(ge=1 << 12, le=256 << 20, description="largest frame on the wire")] = 8 << 20
    max_outstanding_requests: Annotated[
        int, Meta(ge=1, le=1_000_000, description="unanswered requests of one connection")
    ] = 10_000
    max_write_buffer_bytes: Annotated[
        int, Meta(ge=1 << 16, description="unsent replies of one connection; a reader slower than this is cut off")
    ] = 64 << 20
    max_queues: Annotated[int, Meta(ge=1, le=100_000, description="different queue names")] = 10_000
    max_waiters: Annotated[int, Meta(ge=1, description="waits for a result held at once")] = 100_000
    window_bytes: Annotated[int, Meta(ge=1 << 16, description="task bodies kept in memory, all queues together")] = (
        64 << 20
    )
    worker_heartbeat_interval_secs: Annotated[
        int, Meta(ge=1, le=3_600, description="what workers are told; three missed and a worker is lost")
    ] = 15
    reconnect_grace_ms: Annotated[
        int, Meta(ge=0, le=3_600_000, description="how long a worker whose connection ended may take to come back")
    ] = 5_000
    graceful_shutdown_timeout_secs: Annotated[
        int, Meta(ge=0, le=3_600, description="how long a stopping broker answers what it has taken")
    ] = 10


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """REST and gRPC: a process each beside the broker, with the TLS of the section broker."""

    rest_enabled: Annotated[bool, Meta(description="serve REST and /metrics")] = True
    rest_port: Annotated[Port, Meta(description="TCP port of REST; 0 takes a free one")] = 8080
    grpc_enabled: Annotated[bool, Meta(description="serve gRPC")] = True
    grpc_port: Annotated[Port, Meta(description="TCP port of gRPC; 0 takes a free one")] = 9090
    grpc_client_certificates: Annotated[
        bool,
        Meta(
            description="require of gRPC callers a certificate of broker.tls_client_ca; false: ask for none, for gRPC "
            "cannot leave it to the caller"
        ),
    ] = False
    host: Annotated[str, Meta(description="address to listen on; empty: that of broker.host")] = ""
    allowed_hosts: Annotated[
        str,
        Meta(description="names that a proxy on this machine may put into Host and Origin, such as tq.example.org"),
    ] = ""
    max_connections: Annotated[int, Meta(ge=1, le=100_000, description="connections of one edge held at once")] = 1_000
    max_body_bytes: Annotated[int, Meta(ge=1 << 10, le=256 << 20, description="largest body of a request")] = 12 << 20
    request_timeout_secs: Annotated[
        int, Meta(ge=1, le=3_600, description="how long a request may take to arrive, and an answer to be read on")
    ] = 30
    metrics_queues_max: Annotated[
        int, Meta(ge=0, le=1_000, description="queues that /metrics names; all others are counted together as _other")
    ] = 100


class PersistenceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the data lies, and what an acknowledgement means."""

    data_dir: Annotated[str, Meta(description="directory of the data, made if missing")] = "./data"
    sync: Annotated[
        Literal["always", "interval", "never"],
        Meta(description="always: fsync before every acknowledgement; interval: every wal_sync_interval_ms; never"),
    ] = "always"
    wal_sync_interval_ms: Annotated[
        int, Meta(ge=1, le=60_000, description="with sync: interval, the most that a power cut can cost")
    ] = 100
    min_free_bytes: Annotated[
        int, Meta(ge=0, description="submits are refused when the disk has less than this free")
    ] = 512 << 20
    dead_letter_retention_hours: Annotated[int, Meta(ge=1, description="how long dead letters are kept")] = 720
    cancelled_retention_hours: Annotated[
        int, Meta(ge=1, description="how long cancelled and purged tasks are kept")
    ] = 24
    audit_retention_hours: Annotated[
        int, Meta(ge=1, le=1_000_000, description="how long it is known who did what: tq audit")
    ] = 2_160


class SecuritySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may do what; docs/security.md explains it."""

    anonymous_role: Annotated[
        Literal["auto", "none", "viewer", "producer", "worker", "operator", "admin"],
        Meta(description="of who shows no credentials; auto: admin on loopback while there is no token, else none"),
    ] = "auto"
    certificate_roles: Annotated[
        str,
        Meta(description="roles by a name in the client's certificate, such as ops.example.org=operator,*.web=worker"),
    ] = ""


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the dashboard tells everybody who looks at this broker."""

    name: Annotated[str, Meta(description="what this broker is called, such as prod")] = ""
    badge: Annotated[str, Meta(description="shown beside its name, such as PRODUCTION; empty: nothing")] = ""
    confirm_always: Annotated[bool, Meta(description="ask before what is usually done at once, too")] = False


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a worker runs handlers."""

    concurrency: Annotated[int, Meta(ge=1, le=10_000, description="tasks that one process runs at once")] = 4
    processes: Annotated[int, Meta(ge=1, le=256, description="worker processes")] = 1
    queues: Annotated[
        str, Meta(description="queues to serve, such as mail:10,default:1; higher first, empty: all in turn")
    ] = ""
    name: Annotated[str, Meta(description="how the worker is shown; empty: host name and pid")] = ""
    heartbeat_interval_secs: Annotated[
        int, Meta(ge=1, le=3_600, description="pause between heartbeats; the broker's own value is used if shorter")
    ] = 15
    graceful_shutdown_timeout_secs: Annotated[
        int, Meta(ge=0, le=86_400, description="how long SIGTERM waits for running tasks before they are handed back")
    ] = 60
    prefetch_max: Annotated[
        int, Meta(ge=0, le=10_000, description="most tasks fetched ahead when tasks are very short; 0: none")
    ] = 1_000
    max_tasks: Annotated[int, Meta(ge=0, description="replace a worker process after so many tasks; 0: never")] = 0
    max_rss_mb: Annotated[int, Meta(ge=0, description="replace a worker process above this memory; 0: never")] = 0
    metrics_port: Annotated[Port, Meta(description="port on which Prometheus reads what this worker does; 0: none")] = 0
    metrics_host: Annotated[
        str, Meta(description="address of that port; whoever reaches it may read, nobody is asked for credentials")
    ] = "127.0.0.1"


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged; always to stderr."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="the least important events shown")
    ] = "info"
    format: Annotated[
        Literal["auto", "json", "console"], Meta(description="auto: console on a terminal, else JSON lines")
    ] = "auto"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sections."""

    broker: BrokerSettings = BrokerSettings()
    api: ApiSettings = ApiSettings()
    persistence: PersistenceSettings = PersistenceSettings()
    security: SecuritySettings = SecuritySettings()
    cluster: ClusterSettings = ClusterSettings()
    worker: WorkerSettings = WorkerSettings()
    log: LogSettings = LogSettings()
