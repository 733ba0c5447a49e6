# shellcheck shell=bash
# Sourced by the other scripts: runs named steps, says how long each took, and sums up at the end, also after a failure.
#
#   step "what it does" command argument…
#   step_summary                             # the caller's last line, and its EXIT trap

step_lines=()
step_current=""
step_began=0

step() {
    step_current=$1
    step_began=$SECONDS
    shift
    printf '\n==> %s\n    %s\n' "$step_current" "$*"
    "$@"
    step_lines+=("$(printf 'ok      %5ds  %s' $((SECONDS - step_began)) "$step_current")")
    step_current=""
}

step_summary() {
    local line
    printf '\n==> summary of %s\n' "${0##*/}"
    for line in "${step_lines[@]}"; do
        printf '    %s\n' "$line"
    done
    if [ -n "$step_current" ]; then
        printf '    FAILED  %5ds  %s\n' $((SECONDS - step_began)) "$step_current"
    fi
    printf '    %d s in all\n' "$SECONDS"
}
