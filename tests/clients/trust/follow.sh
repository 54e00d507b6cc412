#!/usr/bin/env bash
# Runs the blocks of a folder in this shell, one after the other, for trust.sh.
# usage: follow.sh FOLDER NORMALISE.SED [-v]
set -eu
folder=$1 rules=$2 verbose=${3-}
passed=0 failed=0 current=''

finish() {
    local status=$?
    # shellcheck disable=SC2046
    kill $(jobs -p) 2>/dev/null || true
    wait
    if [ -n "$current" ]; then
        failed=$((failed + 1))
        echo "FAILED  $(title "$current"): a command failed, which should not"
        tail -n 20 "$current.printed" | sed 's/^/    | /'
        status=1
    fi
    echo "pages on trust: $passed passed, $failed failed"
    [ "$failed" -eq 0 ] || status=1
    exit "$status"
}
trap finish EXIT

title() { basename "$1" .sh | sed 's/^[0-9]*-//; s/-\([0-9]*\)$/, block \1/'; }

normalised() { sed -E "s/\b$base([3-8])\b/844\1/g; \$a\\" "$1" | sed -E -f "$rules"; }

compare() { # block
    local differences='' how=''
    if [ -e "$1.shown" ]; then
        how=', as shown'
        differences=$(diff <(normalised "$1.shown") <(normalised "$1.printed")) || true
    fi
    if [ -z "$differences" ]; then
        passed=$((passed + 1))
        echo "ok      $(title "$1")$how"
    else
        failed=$((failed + 1))
        echo "FAILED  $(title "$1"): the page (<) shows something else than is printed (>)"
        sed 's/^/    | /' <<<"$differences"
    fi
    [ -z "$verbose" ] || sed "s/$base\([3-8]\)/844\1/g; s/^/    /" "$1.printed"
}

for block in "$folder"/*.sh; do
    current=$block
    if [ -e "$block.refused" ]; then
        if (. "$block") >"$block.printed" 2>&1; then
            echo 'this was not refused' >>"$block.printed"
            exit 1
        fi
    else
        . "$block" >"$block.printed" 2>&1
    fi
    current=''
    compare "$block"
done
