#!/usr/bin/env bash
# Walks the conformance tables of the Common Expression Language specification, but for what needs messages of
# protocol buffers, through the public interface of the policy crate. explained.txt has the rows that do not hold.
# usage: run.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tables=$(mktemp -d /tmp/angos-cel.XXXXXX)
trap 'rm -rf "$tables"' EXIT

cd "$here"
go mod download
go run . "$(go list -m -f '{{.Dir}}' cel.dev/expr)/tests/simple/testdata" "$tables"
cp explained.txt "$tables"
cd ../..
# The whole workspace, so that nothing is built again with other features.
ANGOS_POLICY_TABLES=$tables cargo test --workspace --locked --test conformance -- --nocapture
