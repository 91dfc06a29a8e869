#!/bin/sh
# A task's whole life over REST, with nothing but curl and sed. See README.md beside this file.
set -eu

TQ=${TQ:-http://127.0.0.1:8080/api/v1}

# Every request. --fail-with-body ends the walkthrough at the first answer that is an error, and shows it.
ask() {
    method=$1 path=$2 body=${3-}
    printf '\n$ curl -X %s %s%s%s\n' "$method" "$TQ" "$path" "${body:+ -d '$body'}" >&2
    set -- -sS --fail-with-body --max-time 60 -X "$method" "$TQ$path"
    [ -z "${TQ_TOKEN-}" ] || set -- "$@" -H "Authorization: Bearer $TQ_TOKEN"
    [ -z "$body" ] || set -- "$@" -H "Content-Type: application/json" -d "$body"
    answer=$(curl "$@")
    printf '%s\n' "$answer" >&2
    printf '%s\n' "$answer"
}

# The first text field of this name in an answer. Whoever has jq writes: jq -r .id
field() {
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1
}

expect() {
    case $2 in
        *"$1"*) ;;
        *) echo "expected $1" >&2; exit 1 ;;
    esac
}

echo "1. Is the broker well?" >&2
expect '"status":"ok"' "$(ask GET /health)"

echo "2. Submit a task and wait for its result. A payload is base64, or JSON if you say so." >&2
id=$(ask POST /tasks '{"task_type": "add", "queue": "curl", "payload": {"a": 1, "b": 2}, "payload_encoding": "json"}' | field id)
expect '"result":3' "$(ask GET "/tasks/$id/result?timeout=30s")"

echo "3. Submit with a key: again, it is the same task." >&2
submit="{\"task_type\": \"add\", \"queue\": \"curl\", \"payload\": \"eyJhIjogMiwgImIiOiAzfQ==\", \"key\": \"walk-$$\"}"
first=$(ask POST /tasks "$submit" | field id)
expect "\"id\":\"$first\",\"is_new\":false" "$(ask POST /tasks "$submit")"

echo "4. A task that fails for good is a dead letter." >&2
bad=$(ask POST /tasks '{"task_type": "divide", "queue": "curl", "payload": {"a": 1, "b": 0}, "payload_encoding": "json", "max_retries": 0}' | field id)
expect '"state":"dead_letter"' "$(ask GET "/tasks/$bad/result?timeout=30s")"
expect '"code":"RETRIES_USED_UP"' "$(ask GET "/tasks/$bad/why")"
expect '"error_type":"ZeroDivisionError"' "$(ask GET "/dead/groups?selector=queue:curl")"

echo "5. Correct it and submit it again." >&2
good=$(ask POST "/tasks/$bad/resubmit" '{"payload": {"a": 1, "b": 4}, "reason": "b was 0"}' | field id)
expect '"result":0.25' "$(ask GET "/tasks/$good/result?timeout=30s")"

echo "6. Pause a queue; what is submitted waits. Why?" >&2
ask POST /queues/curl/pause '{"reason": "walking through"}' >/dev/null
waiting=$(ask POST /tasks '{"task_type": "add", "queue": "curl", "payload": {"a": 5, "b": 6}, "payload_encoding": "json", "tags": ["walk"]}' | field id)
expect '"code":"QUEUE_PAUSED"' "$(ask GET "/tasks/$waiting/why")"

echo "7. Cancel all tasks of a selector: preview, commit, wait. Then take it back." >&2
token=$(ask POST /operations '{"action": "cancel", "selector": "queue:curl tag:walk"}' | field token)
ask POST "/operations/$token/commit" '{"reason": "walking through"}' >/dev/null
expect '"state":"done"' "$(ask GET "/operations/$token?wait=30s")"
expect '"state":"cancelled"' "$(ask GET "/tasks/$waiting")"
undo=$(ask POST "/operations/$token/undo" | field id)
ask GET "/operations/$undo?wait=30s" >/dev/null

echo "8. Let the queue run again: the task that was put back runs." >&2
ask POST /queues/curl/resume >/dev/null
expect '"result":11' "$(ask GET "/tasks/$waiting/result?timeout=30s")"

echo "9. The queue in numbers, and a page of its tasks with the address of the next." >&2
ask GET /queues/curl >/dev/null
expect '"next":"/api/v1/tasks?' "$(ask GET '/tasks?queue=curl&sort=age&limit=2')"

echo "10. What goes wrong has a code, and says what to do." >&2
missing=$(ask GET /tasks/00000000-0000-7000-8000-000000000000 2>/dev/null || true)
printf '%s\n' "$missing" >&2
expect '"code":"TASK_NOT_FOUND"' "$missing"

echo >&2
echo "That was a task's whole life. All routes, with a page to try them: ${TQ%/api/v1}/schema" >&2
