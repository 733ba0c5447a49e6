#!/bin/bash
# A robot without any library: it calls its worker with curl, and reads JSON with python3 (jq would do as well).
set -euo pipefail

process_name=$1 process_args=$4 queue=Invoices

# Calls a method of RobotService with a JSON body, and prints the answer. A refusal prints its reason and fails.
# --retry: while the worker is restarted; the worker itself waits for its server.
# --noproxy: the worker is on this machine, and a proxy that the environment names must not see the token.
call() {
    curl --silent --show-error --fail-with-body --noproxy '*' --retry 5 --retry-connrefused \
        --header "Authorization: Bearer $ORCHESTRATOR_JOB_TOKEN" --header 'Content-Type: application/json' \
        --data-binary "$2" "$ORCHESTRATOR_ENDPOINT/rpc/orchestrator.v1.RobotService/$1"
}

# Makes a JSON object of names and values, whatever is in the values.
object() {
    python3 -c 'import json, sys; a = sys.argv[1:]; print(json.dumps(dict(zip(a[::2], a[1::2]))))' "$@"
}

# Prints a value of the JSON on standard input, nothing when there is none: field element id
field() {
    python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value.get(name) if isinstance(value, dict) else None
if value is not None:
    print(value)' "$@"
}

log() {
    call Log "{\"logs\": [$(object logLevel "$1" logMessage "$2")]}" >/dev/null
}

log INFO "$process_name begins with '$process_args'"
limit=$(call GetConstant "$(object name 'Invoice limit')" | field constant value)
count=0
while true; do
    # The id makes the call repeatable: an answer that got lost is not a lost element.
    request=$(cat /proc/sys/kernel/random/uuid)
    claimed=$(call ClaimQueueElement "{\"queueName\": \"$queue\", \"call\": {\"requestId\": \"$request\"}}")
    element=$(field element id <<<"$claimed")
    [ -n "$element" ] || break
    amount=$(field element data <<<"$claimed" | field amount)
    if [ "$amount" -gt "$limit" ]; then
        call SetQueueElementStatus "$(object element "$element" status FAILED message "over the limit of $limit")" >/dev/null
    else
        call SetQueueElementStatus "$(object element "$element" status DONE message "paid $amount")" >/dev/null
    fi
    count=$((count + 1))
done
log INFO "$process_name handled $count invoices"
