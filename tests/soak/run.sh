#!/usr/bin/env bash
# A mixed load against a real server for any length; ends with a summary, and 0 if nothing was lost and nothing is left.
# usage: tests/soak/run.sh [--minutes N] [ANGOS_BINARY]
# Default: 2 minutes, and the binary that cargo builds in the profile of the tests. As root the data folder is a file
# system of its own, which is full for a tenth of the time.
set -euo pipefail
minutes=2
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) minutes=${2:?"--minutes takes a number"} && shift 2 ;;
    -*) sed -n '2,5s/^# //p' "$0" >&2 && exit 2 ;;
    *) ANGOS_E2E_BINARY=$(realpath "$1") && export ANGOS_E2E_BINARY && shift ;;
    esac
done
cd "$(dirname "$0")/../.."
ANGOS_SOAK_MINUTES=$minutes exec cargo test --workspace --locked --test e2e -- \
    --ignored --exact soak::everything_at_once_for_a_while --nocapture
