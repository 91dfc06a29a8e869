from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Task(_message.Message):
    __slots__ = ("task_type", "payload", "queue", "priority", "timeout_ms", "max_retries", "content_type", "id", "key", "delay_ms", "eta_ms", "expires_ms", "result_ttl_ms", "max_crashes", "retry", "tags", "trace")
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    ETA_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    RESULT_TTL_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_CRASHES_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    task_type: str
    payload: bytes
    queue: str
    priority: int
    timeout_ms: int
    max_retries: int
    content_type: str
    id: str
    key: str
    delay_ms: int
    eta_ms: int
    expires_ms: int
    result_ttl_ms: int
    max_crashes: int
    retry: Retry
    tags: _containers.RepeatedScalarFieldContainer[str]
    trace: str
    def __init__(self, task_type: _Optional[str] = ..., payload: _Optional[bytes] = ..., queue: _Optional[str] = ..., priority: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., max_retries: _Optional[int] = ..., content_type: _Optional[str] = ..., id: _Optional[str] = ..., key: _Optional[str] = ..., delay_ms: _Optional[int] = ..., eta_ms: _Optional[int] = ..., expires_ms: _Optional[int] = ..., result_ttl_ms: _Optional[int] = ..., max_crashes: _Optional[int] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., tags: _Optional[_Iterable[str]] = ..., trace: _Optional[str] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("backoff_ms_base", "backoff_ms_max", "factor", "jitter")
    BACKOFF_MS_BASE_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_MS_MAX_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    backoff_ms_base: int
    backoff_ms_max: int
    factor: float
    jitter: bool
    def __init__(self, backoff_ms_base: _Optional[int] = ..., backoff_ms_max: _Optional[int] = ..., factor: _Optional[float] = ..., jitter: _Optional[bool] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: Task
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ...) -> None: ...

class SubmitReply(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class SubmitManyRequest(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    def __init__(self, tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ...) -> None: ...

class SubmitManyReply(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class TaskId(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class WaitRequest(_message.Message):
    __slots__ = ("id", "timeout_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    timeout_ms: int
    def __init__(self, id: _Optional[str] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("ids", "reason")
    IDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("selector", "order", "is_descending", "limit", "cursor", "as_of")
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    IS_DESCENDING_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    selector: str
    order: str
    is_descending: bool
    limit: int
    cursor: bytes
    as_of: int
    def __init__(self, selector: _Optional[str] = ..., order: _Optional[str] = ..., is_descending: _Optional[bool] = ..., limit: _Optional[int] = ..., cursor: _Optional[bytes] = ..., as_of: _Optional[int] = ...) -> None: ...

class ResubmitRequest(_message.Message):
    __slots__ = ("id", "payload", "content_type", "queue", "priority", "delay_ms", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    payload: bytes
    content_type: str
    queue: str
    priority: int
    delay_ms: int
    reason: str
    def __init__(self, id: _Optional[str] = ..., payload: _Optional[bytes] = ..., content_type: _Optional[str] = ..., queue: _Optional[str] = ..., priority: _Optional[int] = ..., delay_ms: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class GetLogRequest(_message.Message):
    __slots__ = ("id", "after", "limit")
    ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    after: int
    limit: int
    def __init__(self, id: _Optional[str] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class GetSignatureRequest(_message.Message):
    __slots__ = ("task_type",)
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    task_type: str
    def __init__(self, task_type: _Optional[str] = ...) -> None: ...

class TaskView(_message.Message):
    __slots__ = ("id", "task_type", "queue", "priority", "state", "payload", "content_type", "submitted_at_ms", "scheduled_at_ms", "started_at_ms", "ended_at_ms", "expires_at_ms", "attempt", "max_retries", "crashes", "max_crashes", "timeout_ms", "worker", "no_handler", "cancel_requested", "progress", "result", "result_content_type", "reason", "history", "key", "tags", "resubmit_of", "resubmitted_as", "trace")
    ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    CRASHES_FIELD_NUMBER: _ClassVar[int]
    MAX_CRASHES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    NO_HANDLER_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    RESULT_CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    RESUBMIT_OF_FIELD_NUMBER: _ClassVar[int]
    RESUBMITTED_AS_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    id: str
    task_type: str
    queue: str
    priority: int
    state: str
    payload: bytes
    content_type: str
    submitted_at_ms: int
    scheduled_at_ms: int
    started_at_ms: int
    ended_at_ms: int
    expires_at_ms: int
    attempt: int
    max_retries: int
    crashes: int
    max_crashes: int
    timeout_ms: int
    worker: str
    no_handler: bool
    cancel_requested: bool
    progress: Progress
    result: bytes
    result_content_type: str
    reason: str
    history: _containers.RepeatedCompositeFieldContainer[AttemptRecord]
    key: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    resubmit_of: str
    resubmitted_as: str
    trace: str
    def __init__(self, id: _Optional[str] = ..., task_type: _Optional[str] = ..., queue: _Optional[str] = ..., priority: _Optional[int] = ..., state: _Optional[str] = ..., payload: _Optional[bytes] = ..., content_type: _Optional[str] = ..., submitted_at_ms: _Optional[int] = ..., scheduled_at_ms: _Optional[int] = ..., started_at_ms: _Optional[int] = ..., ended_at_ms: _Optional[int] = ..., expires_at_ms: _Optional[int] = ..., attempt: _Optional[int] = ..., max_retries: _Optional[int] = ..., crashes: _Optional[int] = ..., max_crashes: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., worker: _Optional[str] = ..., no_handler: _Optional[bool] = ..., cancel_requested: _Optional[bool] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., result: _Optional[bytes] = ..., result_content_type: _Optional[str] = ..., reason: _Optional[str] = ..., history: _Optional[_Iterable[_Union[AttemptRecord, _Mapping]]] = ..., key: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., resubmit_of: _Optional[str] = ..., resubmitted_as: _Optional[str] = ..., trace: _Optional[str] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("fraction", "note", "at_ms")
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    fraction: float
    note: str
    at_ms: int
    def __init__(self, fraction: _Optional[float] = ..., note: _Optional[str] = ..., at_ms: _Optional[int] = ...) -> None: ...

class AttemptRecord(_message.Message):
    __slots__ = ("attempt", "outcome", "started_at_ms", "ended_at_ms", "worker", "error_type", "message", "traceback")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    outcome: str
    started_at_ms: int
    ended_at_ms: int
    worker: str
    error_type: str
    message: str
    traceback: str
    def __init__(self, attempt: _Optional[int] = ..., outcome: _Optional[str] = ..., started_at_ms: _Optional[int] = ..., ended_at_ms: _Optional[int] = ..., worker: _Optional[str] = ..., error_type: _Optional[str] = ..., message: _Optional[str] = ..., traceback: _Optional[str] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("id", "state", "result", "content_type", "reason", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: str
    result: bytes
    content_type: str
    reason: str
    error: AttemptRecord
    def __init__(self, id: _Optional[str] = ..., state: _Optional[str] = ..., result: _Optional[bytes] = ..., content_type: _Optional[str] = ..., reason: _Optional[str] = ..., error: _Optional[_Union[AttemptRecord, _Mapping]] = ...) -> None: ...

class TaskSummary(_message.Message):
    __slots__ = ("id", "task_type", "queue", "priority", "state", "submitted_at_ms", "scheduled_at_ms", "ended_at_ms", "attempt", "worker", "error_type", "message", "group", "key", "tags", "resubmitted_as")
    ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    RESUBMITTED_AS_FIELD_NUMBER: _ClassVar[int]
    id: str
    task_type: str
    queue: str
    priority: int
    state: str
    submitted_at_ms: int
    scheduled_at_ms: int
    ended_at_ms: int
    attempt: int
    worker: str
    error_type: str
    message: str
    group: str
    key: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    resubmitted_as: str
    def __init__(self, id: _Optional[str] = ..., task_type: _Optional[str] = ..., queue: _Optional[str] = ..., priority: _Optional[int] = ..., state: _Optional[str] = ..., submitted_at_ms: _Optional[int] = ..., scheduled_at_ms: _Optional[int] = ..., ended_at_ms: _Optional[int] = ..., attempt: _Optional[int] = ..., worker: _Optional[str] = ..., error_type: _Optional[str] = ..., message: _Optional[str] = ..., group: _Optional[str] = ..., key: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., resubmitted_as: _Optional[str] = ...) -> None: ...

class TaskPage(_message.Message):
    __slots__ = ("tasks", "cursor", "as_of", "total", "is_total_exact", "stopped_by", "examined")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    IS_TOTAL_EXACT_FIELD_NUMBER: _ClassVar[int]
    STOPPED_BY_FIELD_NUMBER: _ClassVar[int]
    EXAMINED_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskSummary]
    cursor: bytes
    as_of: int
    total: int
    is_total_exact: bool
    stopped_by: str
    examined: int
    def __init__(self, tasks: _Optional[_Iterable[_Union[TaskSummary, _Mapping]]] = ..., cursor: _Optional[bytes] = ..., as_of: _Optional[int] = ..., total: _Optional[int] = ..., is_total_exact: _Optional[bool] = ..., stopped_by: _Optional[str] = ..., examined: _Optional[int] = ...) -> None: ...

class Affected(_message.Message):
    __slots__ = ("count", "skipped")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    count: int
    skipped: int
    def __init__(self, count: _Optional[int] = ..., skipped: _Optional[int] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("id", "task_type", "queue", "state", "worker", "submitted_at_ms", "reasons", "history")
    ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    id: str
    task_type: str
    queue: str
    state: str
    worker: str
    submitted_at_ms: int
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    history: _containers.RepeatedCompositeFieldContainer[AttemptRecord]
    def __init__(self, id: _Optional[str] = ..., task_type: _Optional[str] = ..., queue: _Optional[str] = ..., state: _Optional[str] = ..., worker: _Optional[str] = ..., submitted_at_ms: _Optional[int] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., history: _Optional[_Iterable[_Union[AttemptRecord, _Mapping]]] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("code", "text", "hint", "is_cause", "since_ms", "until_ms", "count", "is_count_exact", "estimate_ms", "who", "note", "workers")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    IS_CAUSE_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_COUNT_EXACT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_MS_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    code: str
    text: str
    hint: str
    is_cause: bool
    since_ms: int
    until_ms: int
    count: int
    is_count_exact: bool
    estimate_ms: int
    who: str
    note: str
    workers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, code: _Optional[str] = ..., text: _Optional[str] = ..., hint: _Optional[str] = ..., is_cause: _Optional[bool] = ..., since_ms: _Optional[int] = ..., until_ms: _Optional[int] = ..., count: _Optional[int] = ..., is_count_exact: _Optional[bool] = ..., estimate_ms: _Optional[int] = ..., who: _Optional[str] = ..., note: _Optional[str] = ..., workers: _Optional[_Iterable[str]] = ...) -> None: ...

class LogPage(_message.Message):
    __slots__ = ("lines", "total", "is_over")
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    IS_OVER_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogLine]
    total: int
    is_over: bool
    def __init__(self, lines: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ..., total: _Optional[int] = ..., is_over: _Optional[bool] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("number", "at_ms", "level", "attempt", "text")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    number: int
    at_ms: int
    level: str
    attempt: int
    text: str
    def __init__(self, number: _Optional[int] = ..., at_ms: _Optional[int] = ..., level: _Optional[str] = ..., attempt: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class TaskStack(_message.Message):
    __slots__ = ("task_id", "attempt", "worker", "host", "pid", "kind", "running_ms", "place", "text")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RUNNING_MS_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    attempt: int
    worker: str
    host: str
    pid: int
    kind: str
    running_ms: int
    place: str
    text: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., worker: _Optional[str] = ..., host: _Optional[str] = ..., pid: _Optional[int] = ..., kind: _Optional[str] = ..., running_ms: _Optional[int] = ..., place: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class SignatureReply(_message.Message):
    __slots__ = ("signature",)
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signature: TaskSignature
    def __init__(self, signature: _Optional[_Union[TaskSignature, _Mapping]] = ...) -> None: ...

class TaskSignature(_message.Message):
    __slots__ = ("task_type", "parameters")
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    task_type: str
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    def __init__(self, task_type: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ...) -> None: ...

class Parameter(_message.Message):
    __slots__ = ("name", "types", "is_required")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    IS_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    name: str
    types: _containers.RepeatedScalarFieldContainer[str]
    is_required: bool
    def __init__(self, name: _Optional[str] = ..., types: _Optional[_Iterable[str]] = ..., is_required: _Optional[bool] = ...) -> None: ...

class WorkRequest(_message.Message):
    __slots__ = ("hello", "number", "progress", "log", "successes", "failures", "releases", "cancelled", "extensions", "heartbeat", "stacks", "credit")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    SUCCESSES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    EXTENSIONS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    STACKS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    hello: WorkerHello
    number: int
    progress: _containers.RepeatedCompositeFieldContainer[ProgressNote]
    log: _containers.RepeatedCompositeFieldContainer[LogEntry]
    successes: _containers.RepeatedCompositeFieldContainer[Success]
    failures: _containers.RepeatedCompositeFieldContainer[Failure]
    releases: _containers.RepeatedCompositeFieldContainer[Release]
    cancelled: _containers.RepeatedCompositeFieldContainer[Lease]
    extensions: _containers.RepeatedCompositeFieldContainer[Extend]
    heartbeat: Heartbeat
    stacks: _containers.RepeatedCompositeFieldContainer[StackTaken]
    credit: int
    def __init__(self, hello: _Optional[_Union[WorkerHello, _Mapping]] = ..., number: _Optional[int] = ..., progress: _Optional[_Iterable[_Union[ProgressNote, _Mapping]]] = ..., log: _Optional[_Iterable[_Union[LogEntry, _Mapping]]] = ..., successes: _Optional[_Iterable[_Union[Success, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[Failure, _Mapping]]] = ..., releases: _Optional[_Iterable[_Union[Release, _Mapping]]] = ..., cancelled: _Optional[_Iterable[_Union[Lease, _Mapping]]] = ..., extensions: _Optional[_Iterable[_Union[Extend, _Mapping]]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., stacks: _Optional[_Iterable[_Union[StackTaken, _Mapping]]] = ..., credit: _Optional[int] = ...) -> None: ...

class WorkerHello(_message.Message):
    __slots__ = ("name", "incarnation", "host", "pid", "task_types", "queues", "concurrency", "version", "held", "signatures")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPES_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    name: str
    incarnation: str
    host: str
    pid: int
    task_types: _containers.RepeatedScalarFieldContainer[str]
    queues: _containers.RepeatedCompositeFieldContainer[QueuePreference]
    concurrency: int
    version: str
    held: _containers.RepeatedCompositeFieldContainer[Lease]
    signatures: _containers.RepeatedCompositeFieldContainer[TaskSignature]
    def __init__(self, name: _Optional[str] = ..., incarnation: _Optional[str] = ..., host: _Optional[str] = ..., pid: _Optional[int] = ..., task_types: _Optional[_Iterable[str]] = ..., queues: _Optional[_Iterable[_Union[QueuePreference, _Mapping]]] = ..., concurrency: _Optional[int] = ..., version: _Optional[str] = ..., held: _Optional[_Iterable[_Union[Lease, _Mapping]]] = ..., signatures: _Optional[_Iterable[_Union[TaskSignature, _Mapping]]] = ...) -> None: ...

class QueuePreference(_message.Message):
    __slots__ = ("name", "priority")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    priority: int
    def __init__(self, name: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class Lease(_message.Message):
    __slots__ = ("task_id", "token")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    token: int
    def __init__(self, task_id: _Optional[str] = ..., token: _Optional[int] = ...) -> None: ...

class Success(_message.Message):
    __slots__ = ("task_id", "token", "result", "content_type")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    token: int
    result: bytes
    content_type: str
    def __init__(self, task_id: _Optional[str] = ..., token: _Optional[int] = ..., result: _Optional[bytes] = ..., content_type: _Optional[str] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("task_id", "token", "error_type", "message", "traceback", "retry_in_ms", "is_final", "is_timeout")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    RETRY_IN_MS_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    IS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    token: int
    error_type: str
    message: str
    traceback: str
    retry_in_ms: int
    is_final: bool
    is_timeout: bool
    def __init__(self, task_id: _Optional[str] = ..., token: _Optional[int] = ..., error_type: _Optional[str] = ..., message: _Optional[str] = ..., traceback: _Optional[str] = ..., retry_in_ms: _Optional[int] = ..., is_final: _Optional[bool] = ..., is_timeout: _Optional[bool] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("task_id", "token", "delay_ms")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    token: int
    delay_ms: int
    def __init__(self, task_id: _Optional[str] = ..., token: _Optional[int] = ..., delay_ms: _Optional[int] = ...) -> None: ...

class Extend(_message.Message):
    __slots__ = ("task_id", "token", "extend_ms")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXTEND_MS_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    token: int
    extend_ms: int
    def __init__(self, task_id: _Optional[str] = ..., token: _Optional[int] = ..., extend_ms: _Optional[int] = ...) -> None: ...

class ProgressNote(_message.Message):
    __slots__ = ("task_id", "token", "fraction", "note")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    token: int
    fraction: float
    note: str
    def __init__(self, task_id: _Optional[str] = ..., token: _Optional[int] = ..., fraction: _Optional[float] = ..., note: _Optional[str] = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = ("task_id", "token", "at_ms", "level", "text")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    token: int
    at_ms: int
    level: str
    text: str
    def __init__(self, task_id: _Optional[str] = ..., token: _Optional[int] = ..., at_ms: _Optional[int] = ..., level: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("running", "prefetched", "rss_bytes", "is_draining", "note", "cpu_percent", "loop_blocked_ms", "stuck")
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    PREFETCHED_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    IS_DRAINING_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    LOOP_BLOCKED_MS_FIELD_NUMBER: _ClassVar[int]
    STUCK_FIELD_NUMBER: _ClassVar[int]
    running: int
    prefetched: int
    rss_bytes: int
    is_draining: bool
    note: str
    cpu_percent: int
    loop_blocked_ms: int
    stuck: int
    def __init__(self, running: _Optional[int] = ..., prefetched: _Optional[int] = ..., rss_bytes: _Optional[int] = ..., is_draining: _Optional[bool] = ..., note: _Optional[str] = ..., cpu_percent: _Optional[int] = ..., loop_blocked_ms: _Optional[int] = ..., stuck: _Optional[int] = ...) -> None: ...

class StackTaken(_message.Message):
    __slots__ = ("number", "reason", "kind", "pid", "running_ms", "place", "text")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RUNNING_MS_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    number: int
    reason: str
    kind: str
    pid: int
    running_ms: int
    place: str
    text: str
    def __init__(self, number: _Optional[int] = ..., reason: _Optional[str] = ..., kind: _Optional[str] = ..., pid: _Optional[int] = ..., running_ms: _Optional[int] = ..., place: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class WorkReply(_message.Message):
    __slots__ = ("welcome", "deliveries", "settled", "cancel", "revoked", "drain", "stacks_wanted")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    STACKS_WANTED_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    settled: _containers.RepeatedCompositeFieldContainer[Settled]
    cancel: _containers.RepeatedCompositeFieldContainer[Lease]
    revoked: _containers.RepeatedCompositeFieldContainer[Lease]
    drain: bool
    stacks_wanted: _containers.RepeatedCompositeFieldContainer[StackWanted]
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., settled: _Optional[_Iterable[_Union[Settled, _Mapping]]] = ..., cancel: _Optional[_Iterable[_Union[Lease, _Mapping]]] = ..., revoked: _Optional[_Iterable[_Union[Lease, _Mapping]]] = ..., drain: _Optional[bool] = ..., stacks_wanted: _Optional[_Iterable[_Union[StackWanted, _Mapping]]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("server_version", "boot_id", "heartbeat_interval_ms", "payload_bytes_max", "lost", "actor")
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    server_version: str
    boot_id: str
    heartbeat_interval_ms: int
    payload_bytes_max: int
    lost: _containers.RepeatedScalarFieldContainer[str]
    actor: str
    def __init__(self, server_version: _Optional[str] = ..., boot_id: _Optional[str] = ..., heartbeat_interval_ms: _Optional[int] = ..., payload_bytes_max: _Optional[int] = ..., lost: _Optional[_Iterable[str]] = ..., actor: _Optional[str] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("token", "attempt", "id", "task_type", "payload", "queue", "priority", "timeout_ms", "max_retries", "content_type", "submitted_at_ms", "key", "tags", "trace")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    token: int
    attempt: int
    id: str
    task_type: str
    payload: bytes
    queue: str
    priority: int
    timeout_ms: int
    max_retries: int
    content_type: str
    submitted_at_ms: int
    key: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    trace: str
    def __init__(self, token: _Optional[int] = ..., attempt: _Optional[int] = ..., id: _Optional[str] = ..., task_type: _Optional[str] = ..., payload: _Optional[bytes] = ..., queue: _Optional[str] = ..., priority: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., max_retries: _Optional[int] = ..., content_type: _Optional[str] = ..., submitted_at_ms: _Optional[int] = ..., key: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., trace: _Optional[str] = ...) -> None: ...

class Settled(_message.Message):
    __slots__ = ("number", "lost", "error_code", "error_message")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    number: int
    lost: _containers.RepeatedScalarFieldContainer[str]
    error_code: str
    error_message: str
    def __init__(self, number: _Optional[int] = ..., lost: _Optional[_Iterable[str]] = ..., error_code: _Optional[str] = ..., error_message: _Optional[str] = ...) -> None: ...

class StackWanted(_message.Message):
    __slots__ = ("number", "task_id", "token")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    number: int
    task_id: str
    token: int
    def __init__(self, number: _Optional[int] = ..., task_id: _Optional[str] = ..., token: _Optional[int] = ...) -> None: ...

class WorkerName(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: str
    def __init__(self, worker: _Optional[str] = ...) -> None: ...

class WorkerPage(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerInfo]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerInfo, _Mapping]]] = ...) -> None: ...

class WorkerInfo(_message.Message):
    __slots__ = ("name", "incarnation", "host", "pid", "status", "version", "queues", "task_types", "concurrency", "leases", "running", "prefetched", "rss_bytes", "connected_at_ms", "last_seen_at_ms", "note", "cpu_percent", "loop_blocked_ms", "stuck", "reported_at_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPES_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    PREFETCHED_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_AT_MS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CPU_PERCENT_FIELD_NUMBER: _ClassVar[int]
    LOOP_BLOCKED_MS_FIELD_NUMBER: _ClassVar[int]
    STUCK_FIELD_NUMBER: _ClassVar[int]
    REPORTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    incarnation: str
    host: str
    pid: int
    status: str
    version: str
    queues: _containers.RepeatedScalarFieldContainer[str]
    task_types: _containers.RepeatedScalarFieldContainer[str]
    concurrency: int
    leases: int
    running: int
    prefetched: int
    rss_bytes: int
    connected_at_ms: int
    last_seen_at_ms: int
    note: str
    cpu_percent: int
    loop_blocked_ms: int
    stuck: int
    reported_at_ms: int
    def __init__(self, name: _Optional[str] = ..., incarnation: _Optional[str] = ..., host: _Optional[str] = ..., pid: _Optional[int] = ..., status: _Optional[str] = ..., version: _Optional[str] = ..., queues: _Optional[_Iterable[str]] = ..., task_types: _Optional[_Iterable[str]] = ..., concurrency: _Optional[int] = ..., leases: _Optional[int] = ..., running: _Optional[int] = ..., prefetched: _Optional[int] = ..., rss_bytes: _Optional[int] = ..., connected_at_ms: _Optional[int] = ..., last_seen_at_ms: _Optional[int] = ..., note: _Optional[str] = ..., cpu_percent: _Optional[int] = ..., loop_blocked_ms: _Optional[int] = ..., stuck: _Optional[int] = ..., reported_at_ms: _Optional[int] = ...) -> None: ...

class WorkerViewPage(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerView]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerView, _Mapping]]] = ...) -> None: ...

class WorkerView(_message.Message):
    __slots__ = ("info", "tasks")
    INFO_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    info: WorkerInfo
    tasks: _containers.RepeatedCompositeFieldContainer[HeldTask]
    def __init__(self, info: _Optional[_Union[WorkerInfo, _Mapping]] = ..., tasks: _Optional[_Iterable[_Union[HeldTask, _Mapping]]] = ...) -> None: ...

class HeldTask(_message.Message):
    __slots__ = ("id", "task_type", "queue", "attempt", "leased_at_ms", "deadline_ms", "cancel_requested", "progress")
    ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LEASED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    id: str
    task_type: str
    queue: str
    attempt: int
    leased_at_ms: int
    deadline_ms: int
    cancel_requested: bool
    progress: Progress
    def __init__(self, id: _Optional[str] = ..., task_type: _Optional[str] = ..., queue: _Optional[str] = ..., attempt: _Optional[int] = ..., leased_at_ms: _Optional[int] = ..., deadline_ms: _Optional[int] = ..., cancel_requested: _Optional[bool] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ...) -> None: ...

class Stats(_message.Message):
    __slots__ = ("engine", "process")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    engine: EngineStats
    process: ProcessStats
    def __init__(self, engine: _Optional[_Union[EngineStats, _Mapping]] = ..., process: _Optional[_Union[ProcessStats, _Mapping]] = ...) -> None: ...

class EngineStats(_message.Message):
    __slots__ = ("queues", "ready", "scheduled", "retrying", "in_progress", "dead", "workers_connected", "submitted_total", "completed_total", "failed_total", "crashed_total", "dead_total", "cancelled_total", "sequence", "waiters", "submitted_10s", "completed_10s", "failed_60s", "dead_60s")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    RETRYING_FIELD_NUMBER: _ClassVar[int]
    IN_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    WORKERS_CONNECTED_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    FAILED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    CRASHED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DEAD_TOTAL_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_10S_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_10S_FIELD_NUMBER: _ClassVar[int]
    FAILED_60S_FIELD_NUMBER: _ClassVar[int]
    DEAD_60S_FIELD_NUMBER: _ClassVar[int]
    queues: int
    ready: int
    scheduled: int
    retrying: int
    in_progress: int
    dead: int
    workers_connected: int
    submitted_total: int
    completed_total: int
    failed_total: int
    crashed_total: int
    dead_total: int
    cancelled_total: int
    sequence: int
    waiters: int
    submitted_10s: int
    completed_10s: int
    failed_60s: int
    dead_60s: int
    def __init__(self, queues: _Optional[int] = ..., ready: _Optional[int] = ..., scheduled: _Optional[int] = ..., retrying: _Optional[int] = ..., in_progress: _Optional[int] = ..., dead: _Optional[int] = ..., workers_connected: _Optional[int] = ..., submitted_total: _Optional[int] = ..., completed_total: _Optional[int] = ..., failed_total: _Optional[int] = ..., crashed_total: _Optional[int] = ..., dead_total: _Optional[int] = ..., cancelled_total: _Optional[int] = ..., sequence: _Optional[int] = ..., waiters: _Optional[int] = ..., submitted_10s: _Optional[int] = ..., completed_10s: _Optional[int] = ..., failed_60s: _Optional[int] = ..., dead_60s: _Optional[int] = ...) -> None: ...

class ProcessStats(_message.Message):
    __slots__ = ("version", "boot_id", "pid", "started_at_ms", "addresses", "data_dir", "sync", "is_accepting", "why_not_accepting", "connections", "commits_total", "commit_us_p50", "commit_us_p99", "rss_bytes", "disk_free_bytes")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    DATA_DIR_FIELD_NUMBER: _ClassVar[int]
    SYNC_FIELD_NUMBER: _ClassVar[int]
    IS_ACCEPTING_FIELD_NUMBER: _ClassVar[int]
    WHY_NOT_ACCEPTING_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    COMMITS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    COMMIT_US_P50_FIELD_NUMBER: _ClassVar[int]
    COMMIT_US_P99_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    version: str
    boot_id: str
    pid: int
    started_at_ms: int
    addresses: _containers.RepeatedScalarFieldContainer[str]
    data_dir: str
    sync: str
    is_accepting: bool
    why_not_accepting: str
    connections: int
    commits_total: int
    commit_us_p50: int
    commit_us_p99: int
    rss_bytes: int
    disk_free_bytes: int
    def __init__(self, version: _Optional[str] = ..., boot_id: _Optional[str] = ..., pid: _Optional[int] = ..., started_at_ms: _Optional[int] = ..., addresses: _Optional[_Iterable[str]] = ..., data_dir: _Optional[str] = ..., sync: _Optional[str] = ..., is_accepting: _Optional[bool] = ..., why_not_accepting: _Optional[str] = ..., connections: _Optional[int] = ..., commits_total: _Optional[int] = ..., commit_us_p50: _Optional[int] = ..., commit_us_p99: _Optional[int] = ..., rss_bytes: _Optional[int] = ..., disk_free_bytes: _Optional[int] = ...) -> None: ...

class QueueName(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: str
    def __init__(self, queue: _Optional[str] = ...) -> None: ...

class PauseQueueRequest(_message.Message):
    __slots__ = ("queue", "reason")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    queue: str
    reason: str
    def __init__(self, queue: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class QueuePage(_message.Message):
    __slots__ = ("queues",)
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[QueueStats]
    def __init__(self, queues: _Optional[_Iterable[_Union[QueueStats, _Mapping]]] = ...) -> None: ...

class QueueStats(_message.Message):
    __slots__ = ("name", "ready_high", "ready_normal", "ready_low", "scheduled", "retrying", "in_progress", "dead", "no_handler", "oldest_ready_ms", "is_paused", "paused_at_ms", "pause_reason", "paused_by", "submitted_total", "completed_total", "failed_total", "crashed_total", "dead_total", "cancelled_total", "submitted_10s", "completed_10s", "failed_60s", "dead_60s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    READY_HIGH_FIELD_NUMBER: _ClassVar[int]
    READY_NORMAL_FIELD_NUMBER: _ClassVar[int]
    READY_LOW_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    RETRYING_FIELD_NUMBER: _ClassVar[int]
    IN_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    NO_HANDLER_FIELD_NUMBER: _ClassVar[int]
    OLDEST_READY_MS_FIELD_NUMBER: _ClassVar[int]
    IS_PAUSED_FIELD_NUMBER: _ClassVar[int]
    PAUSED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_REASON_FIELD_NUMBER: _ClassVar[int]
    PAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    FAILED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    CRASHED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    DEAD_TOTAL_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_10S_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_10S_FIELD_NUMBER: _ClassVar[int]
    FAILED_60S_FIELD_NUMBER: _ClassVar[int]
    DEAD_60S_FIELD_NUMBER: _ClassVar[int]
    name: str
    ready_high: int
    ready_normal: int
    ready_low: int
    scheduled: int
    retrying: int
    in_progress: int
    dead: int
    no_handler: int
    oldest_ready_ms: int
    is_paused: bool
    paused_at_ms: int
    pause_reason: str
    paused_by: str
    submitted_total: int
    completed_total: int
    failed_total: int
    crashed_total: int
    dead_total: int
    cancelled_total: int
    submitted_10s: int
    completed_10s: int
    failed_60s: int
    dead_60s: int
    def __init__(self, name: _Optional[str] = ..., ready_high: _Optional[int] = ..., ready_normal: _Optional[int] = ..., ready_low: _Optional[int] = ..., scheduled: _Optional[int] = ..., retrying: _Optional[int] = ..., in_progress: _Optional[int] = ..., dead: _Optional[int] = ..., no_handler: _Optional[int] = ..., oldest_ready_ms: _Optional[int] = ..., is_paused: _Optional[bool] = ..., paused_at_ms: _Optional[int] = ..., pause_reason: _Optional[str] = ..., paused_by: _Optional[str] = ..., submitted_total: _Optional[int] = ..., completed_total: _Optional[int] = ..., failed_total: _Optional[int] = ..., crashed_total: _Optional[int] = ..., dead_total: _Optional[int] = ..., cancelled_total: _Optional[int] = ..., submitted_10s: _Optional[int] = ..., completed_10s: _Optional[int] = ..., failed_60s: _Optional[int] = ..., dead_60s: _Optional[int] = ...) -> None: ...

class GetHistoryRequest(_message.Message):
    __slots__ = ("queues", "is_by_minute", "since_ms")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    IS_BY_MINUTE_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedScalarFieldContainer[str]
    is_by_minute: bool
    since_ms: int
    def __init__(self, queues: _Optional[_Iterable[str]] = ..., is_by_minute: _Optional[bool] = ..., since_ms: _Optional[int] = ...) -> None: ...

class History(_message.Message):
    __slots__ = ("step_ms", "histories")
    STEP_MS_FIELD_NUMBER: _ClassVar[int]
    HISTORIES_FIELD_NUMBER: _ClassVar[int]
    step_ms: int
    histories: _containers.RepeatedCompositeFieldContainer[QueueHistory]
    def __init__(self, step_ms: _Optional[int] = ..., histories: _Optional[_Iterable[_Union[QueueHistory, _Mapping]]] = ...) -> None: ...

class QueueHistory(_message.Message):
    __slots__ = ("queue", "points")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    queue: str
    points: _containers.RepeatedCompositeFieldContainer[HistoryPoint]
    def __init__(self, queue: _Optional[str] = ..., points: _Optional[_Iterable[_Union[HistoryPoint, _Mapping]]] = ...) -> None: ...

class HistoryPoint(_message.Message):
    __slots__ = ("at_ms", "submitted", "completed", "failed", "dead", "ready")
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    at_ms: int
    submitted: int
    completed: int
    failed: int
    dead: int
    ready: int
    def __init__(self, at_ms: _Optional[int] = ..., submitted: _Optional[int] = ..., completed: _Optional[int] = ..., failed: _Optional[int] = ..., dead: _Optional[int] = ..., ready: _Optional[int] = ...) -> None: ...

class Findings(_message.Message):
    __slots__ = ("findings",)
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    def __init__(self, findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("severity", "code", "scope", "name", "text", "since_ms")
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    severity: int
    code: str
    scope: str
    name: str
    text: str
    since_ms: int
    def __init__(self, severity: _Optional[int] = ..., code: _Optional[str] = ..., scope: _Optional[str] = ..., name: _Optional[str] = ..., text: _Optional[str] = ..., since_ms: _Optional[int] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("scopes", "hz", "boot_id", "seq")
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    HZ_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    scopes: _containers.RepeatedScalarFieldContainer[str]
    hz: float
    boot_id: str
    seq: int
    def __init__(self, scopes: _Optional[_Iterable[str]] = ..., hz: _Optional[float] = ..., boot_id: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class WatchFrame(_message.Message):
    __slots__ = ("boot_id", "seq", "now_ms", "changes")
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    boot_id: str
    seq: int
    now_ms: int
    changes: _containers.RepeatedCompositeFieldContainer[Change]
    def __init__(self, boot_id: _Optional[str] = ..., seq: _Optional[int] = ..., now_ms: _Optional[int] = ..., changes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("scope", "is_whole", "rows", "gone", "left_out")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    IS_WHOLE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    scope: str
    is_whole: bool
    rows: _containers.RepeatedCompositeFieldContainer[Row]
    gone: _containers.RepeatedScalarFieldContainer[str]
    left_out: int
    def __init__(self, scope: _Optional[str] = ..., is_whole: _Optional[bool] = ..., rows: _Optional[_Iterable[_Union[Row, _Mapping]]] = ..., gone: _Optional[_Iterable[str]] = ..., left_out: _Optional[int] = ...) -> None: ...

class Row(_message.Message):
    __slots__ = ("totals", "queues", "queue", "workers", "groups", "task", "ops", "events", "attention")
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    OPS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_FIELD_NUMBER: _ClassVar[int]
    totals: Totals
    queues: QueueLive
    queue: QueueStats
    workers: WorkerLive
    groups: FailureGroup
    task: TaskView
    ops: Operation
    events: Event
    attention: Finding
    def __init__(self, totals: _Optional[_Union[Totals, _Mapping]] = ..., queues: _Optional[_Union[QueueLive, _Mapping]] = ..., queue: _Optional[_Union[QueueStats, _Mapping]] = ..., workers: _Optional[_Union[WorkerLive, _Mapping]] = ..., groups: _Optional[_Union[FailureGroup, _Mapping]] = ..., task: _Optional[_Union[TaskView, _Mapping]] = ..., ops: _Optional[_Union[Operation, _Mapping]] = ..., events: _Optional[_Union[Event, _Mapping]] = ..., attention: _Optional[_Union[Finding, _Mapping]] = ...) -> None: ...

class Totals(_message.Message):
    __slots__ = ("queues", "ready", "scheduled", "retrying", "in_progress", "dead", "workers", "workers_lost", "slots", "submitted_10s", "completed_10s", "failed_60s", "dead_60s", "submitted_total", "completed_total", "sequence")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    RETRYING_FIELD_NUMBER: _ClassVar[int]
    IN_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_LOST_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_10S_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_10S_FIELD_NUMBER: _ClassVar[int]
    FAILED_60S_FIELD_NUMBER: _ClassVar[int]
    DEAD_60S_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    queues: int
    ready: int
    scheduled: int
    retrying: int
    in_progress: int
    dead: int
    workers: int
    workers_lost: int
    slots: int
    submitted_10s: int
    completed_10s: int
    failed_60s: int
    dead_60s: int
    submitted_total: int
    completed_total: int
    sequence: int
    def __init__(self, queues: _Optional[int] = ..., ready: _Optional[int] = ..., scheduled: _Optional[int] = ..., retrying: _Optional[int] = ..., in_progress: _Optional[int] = ..., dead: _Optional[int] = ..., workers: _Optional[int] = ..., workers_lost: _Optional[int] = ..., slots: _Optional[int] = ..., submitted_10s: _Optional[int] = ..., completed_10s: _Optional[int] = ..., failed_60s: _Optional[int] = ..., dead_60s: _Optional[int] = ..., submitted_total: _Optional[int] = ..., completed_total: _Optional[int] = ..., sequence: _Optional[int] = ...) -> None: ...

class QueueLive(_message.Message):
    __slots__ = ("name", "state", "severity", "ready", "in_progress", "scheduled", "retrying", "dead", "no_handler", "oldest_at_ms", "submitted_10s", "completed_10s", "failed_60s", "dead_60s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    IN_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    RETRYING_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    NO_HANDLER_FIELD_NUMBER: _ClassVar[int]
    OLDEST_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_10S_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_10S_FIELD_NUMBER: _ClassVar[int]
    FAILED_60S_FIELD_NUMBER: _ClassVar[int]
    DEAD_60S_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: str
    severity: int
    ready: int
    in_progress: int
    scheduled: int
    retrying: int
    dead: int
    no_handler: int
    oldest_at_ms: int
    submitted_10s: int
    completed_10s: int
    failed_60s: int
    dead_60s: int
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., severity: _Optional[int] = ..., ready: _Optional[int] = ..., in_progress: _Optional[int] = ..., scheduled: _Optional[int] = ..., retrying: _Optional[int] = ..., dead: _Optional[int] = ..., no_handler: _Optional[int] = ..., oldest_at_ms: _Optional[int] = ..., submitted_10s: _Optional[int] = ..., completed_10s: _Optional[int] = ..., failed_60s: _Optional[int] = ..., dead_60s: _Optional[int] = ...) -> None: ...

class WorkerLive(_message.Message):
    __slots__ = ("incarnation", "name", "host", "pid", "status", "slots", "leases", "running", "prefetched", "rss_bytes", "connected_at_ms", "seen_at_ms", "note")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    PREFETCHED_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SEEN_AT_MS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    incarnation: str
    name: str
    host: str
    pid: int
    status: str
    slots: int
    leases: int
    running: int
    prefetched: int
    rss_bytes: int
    connected_at_ms: int
    seen_at_ms: int
    note: str
    def __init__(self, incarnation: _Optional[str] = ..., name: _Optional[str] = ..., host: _Optional[str] = ..., pid: _Optional[int] = ..., status: _Optional[str] = ..., slots: _Optional[int] = ..., leases: _Optional[int] = ..., running: _Optional[int] = ..., prefetched: _Optional[int] = ..., rss_bytes: _Optional[int] = ..., connected_at_ms: _Optional[int] = ..., seen_at_ms: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("number", "at_ms", "actor", "action", "target", "count", "reason", "operation")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    number: int
    at_ms: int
    actor: str
    action: str
    target: str
    count: int
    reason: str
    operation: str
    def __init__(self, number: _Optional[int] = ..., at_ms: _Optional[int] = ..., actor: _Optional[str] = ..., action: _Optional[str] = ..., target: _Optional[str] = ..., count: _Optional[int] = ..., reason: _Optional[str] = ..., operation: _Optional[str] = ...) -> None: ...

class ListGroupsRequest(_message.Message):
    __slots__ = ("selector", "order", "is_ascending", "limit")
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    IS_ASCENDING_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    selector: str
    order: str
    is_ascending: bool
    limit: int
    def __init__(self, selector: _Optional[str] = ..., order: _Optional[str] = ..., is_ascending: _Optional[bool] = ..., limit: _Optional[int] = ...) -> None: ...

class GroupPage(_message.Message):
    __slots__ = ("groups", "total", "dead_total")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DEAD_TOTAL_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[FailureGroup]
    total: int
    dead_total: int
    def __init__(self, groups: _Optional[_Iterable[_Union[FailureGroup, _Mapping]]] = ..., total: _Optional[int] = ..., dead_total: _Optional[int] = ...) -> None: ...

class FailureGroup(_message.Message):
    __slots__ = ("fingerprint", "error_type", "message", "place", "count", "queues", "queues_total", "first_died_at_ms", "last_died_at_ms", "deaths_per_minute", "sample", "dead_total", "retried_total")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    QUEUES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    FIRST_DIED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_DIED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    DEATHS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    DEAD_TOTAL_FIELD_NUMBER: _ClassVar[int]
    RETRIED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    error_type: str
    message: str
    place: str
    count: int
    queues: _containers.RepeatedCompositeFieldContainer[QueueCount]
    queues_total: int
    first_died_at_ms: int
    last_died_at_ms: int
    deaths_per_minute: float
    sample: str
    dead_total: int
    retried_total: int
    def __init__(self, fingerprint: _Optional[str] = ..., error_type: _Optional[str] = ..., message: _Optional[str] = ..., place: _Optional[str] = ..., count: _Optional[int] = ..., queues: _Optional[_Iterable[_Union[QueueCount, _Mapping]]] = ..., queues_total: _Optional[int] = ..., first_died_at_ms: _Optional[int] = ..., last_died_at_ms: _Optional[int] = ..., deaths_per_minute: _Optional[float] = ..., sample: _Optional[str] = ..., dead_total: _Optional[int] = ..., retried_total: _Optional[int] = ...) -> None: ...

class QueueCount(_message.Message):
    __slots__ = ("queue", "count")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    count: int
    def __init__(self, queue: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class PrepareOperationRequest(_message.Message):
    __slots__ = ("action", "selector", "ids", "is_hard", "overrides")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    IS_HARD_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    action: str
    selector: str
    ids: _containers.RepeatedScalarFieldContainer[str]
    is_hard: bool
    overrides: Overrides
    def __init__(self, action: _Optional[str] = ..., selector: _Optional[str] = ..., ids: _Optional[_Iterable[str]] = ..., is_hard: _Optional[bool] = ..., overrides: _Optional[_Union[Overrides, _Mapping]] = ...) -> None: ...

class Overrides(_message.Message):
    __slots__ = ("queue", "priority", "delay_ms")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    queue: str
    priority: int
    delay_ms: int
    def __init__(self, queue: _Optional[str] = ..., priority: _Optional[int] = ..., delay_ms: _Optional[int] = ...) -> None: ...

class Prepared(_message.Message):
    __slots__ = ("token", "action", "count", "queues", "sample", "as_of", "rate", "estimated_ms", "expires_at_ms", "warnings")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    token: str
    action: str
    count: int
    queues: _containers.RepeatedCompositeFieldContainer[QueueCount]
    sample: _containers.RepeatedCompositeFieldContainer[TaskSummary]
    as_of: int
    rate: int
    estimated_ms: int
    expires_at_ms: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, token: _Optional[str] = ..., action: _Optional[str] = ..., count: _Optional[int] = ..., queues: _Optional[_Iterable[_Union[QueueCount, _Mapping]]] = ..., sample: _Optional[_Iterable[_Union[TaskSummary, _Mapping]]] = ..., as_of: _Optional[int] = ..., rate: _Optional[int] = ..., estimated_ms: _Optional[int] = ..., expires_at_ms: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class CommitOperationRequest(_message.Message):
    __slots__ = ("token", "reason", "rate")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    token: str
    reason: str
    rate: int
    def __init__(self, token: _Optional[str] = ..., reason: _Optional[str] = ..., rate: _Optional[int] = ...) -> None: ...

class ListOperationsRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class GetOperationRequest(_message.Message):
    __slots__ = ("operation", "wait_ms")
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    operation: str
    wait_ms: int
    def __init__(self, operation: _Optional[str] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class CancelOperationRequest(_message.Message):
    __slots__ = ("operation", "reason")
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    operation: str
    reason: str
    def __init__(self, operation: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class UndoOperationRequest(_message.Message):
    __slots__ = ("operation", "reason", "rate")
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    operation: str
    reason: str
    rate: int
    def __init__(self, operation: _Optional[str] = ..., reason: _Optional[str] = ..., rate: _Optional[int] = ...) -> None: ...

class OperationPage(_message.Message):
    __slots__ = ("operations",)
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[Operation]
    def __init__(self, operations: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ...) -> None: ...

class Operation(_message.Message):
    __slots__ = ("id", "action", "state", "target", "is_hard", "total", "done", "skipped", "failed", "queues", "rate", "reason", "actor", "origin", "as_of", "started_at_ms", "ended_at_ms", "remaining_ms", "undo_until_ms", "undo_of", "undone_by", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    IS_HARD_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MS_FIELD_NUMBER: _ClassVar[int]
    UNDO_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    UNDO_OF_FIELD_NUMBER: _ClassVar[int]
    UNDONE_BY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: str
    action: str
    state: str
    target: str
    is_hard: bool
    total: int
    done: int
    skipped: int
    failed: int
    queues: _containers.RepeatedCompositeFieldContainer[QueueCount]
    rate: int
    reason: str
    actor: str
    origin: str
    as_of: int
    started_at_ms: int
    ended_at_ms: int
    remaining_ms: int
    undo_until_ms: int
    undo_of: str
    undone_by: str
    error: str
    def __init__(self, id: _Optional[str] = ..., action: _Optional[str] = ..., state: _Optional[str] = ..., target: _Optional[str] = ..., is_hard: _Optional[bool] = ..., total: _Optional[int] = ..., done: _Optional[int] = ..., skipped: _Optional[int] = ..., failed: _Optional[int] = ..., queues: _Optional[_Iterable[_Union[QueueCount, _Mapping]]] = ..., rate: _Optional[int] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., origin: _Optional[str] = ..., as_of: _Optional[int] = ..., started_at_ms: _Optional[int] = ..., ended_at_ms: _Optional[int] = ..., remaining_ms: _Optional[int] = ..., undo_until_ms: _Optional[int] = ..., undo_of: _Optional[str] = ..., undone_by: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class BackupRequest(_message.Message):
    __slots__ = ("directory",)
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    directory: str
    def __init__(self, directory: _Optional[str] = ...) -> None: ...

class CreateTokenRequest(_message.Message):
    __slots__ = ("name", "role", "queues", "lifetime_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: str
    queues: _containers.RepeatedScalarFieldContainer[str]
    lifetime_ms: int
    def __init__(self, name: _Optional[str] = ..., role: _Optional[str] = ..., queues: _Optional[_Iterable[str]] = ..., lifetime_ms: _Optional[int] = ...) -> None: ...

class NewToken(_message.Message):
    __slots__ = ("text", "info")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    text: str
    info: TokenInfo
    def __init__(self, text: _Optional[str] = ..., info: _Optional[_Union[TokenInfo, _Mapping]] = ...) -> None: ...

class TokenPage(_message.Message):
    __slots__ = ("tokens",)
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[TokenInfo]
    def __init__(self, tokens: _Optional[_Iterable[_Union[TokenInfo, _Mapping]]] = ...) -> None: ...

class TokenInfo(_message.Message):
    __slots__ = ("id", "name", "role", "queues", "created_at_ms", "created_by", "expires_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    role: str
    queues: _containers.RepeatedScalarFieldContainer[str]
    created_at_ms: int
    created_by: str
    expires_at_ms: int
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[str] = ..., queues: _Optional[_Iterable[str]] = ..., created_at_ms: _Optional[int] = ..., created_by: _Optional[str] = ..., expires_at_ms: _Optional[int] = ...) -> None: ...

class RevokeTokenRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class ListAuditRequest(_message.Message):
    __slots__ = ("since_ms", "until_ms", "who", "action", "limit", "cursor")
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    since_ms: int
    until_ms: int
    who: str
    action: str
    limit: int
    cursor: bytes
    def __init__(self, since_ms: _Optional[int] = ..., until_ms: _Optional[int] = ..., who: _Optional[str] = ..., action: _Optional[str] = ..., limit: _Optional[int] = ..., cursor: _Optional[bytes] = ...) -> None: ...

class AuditPage(_message.Message):
    __slots__ = ("entries", "cursor")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    cursor: bytes
    def __init__(self, entries: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ..., cursor: _Optional[bytes] = ...) -> None: ...

class AuditEntry(_message.Message):
    __slots__ = ("at_ms", "actor", "origin", "action", "target", "count", "reason", "operation")
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    at_ms: int
    actor: str
    origin: str
    action: str
    target: str
    count: int
    reason: str
    operation: str
    def __init__(self, at_ms: _Optional[int] = ..., actor: _Optional[str] = ..., origin: _Optional[str] = ..., action: _Optional[str] = ..., target: _Optional[str] = ..., count: _Optional[int] = ..., reason: _Optional[str] = ..., operation: _Optional[str] = ...) -> None: ...
