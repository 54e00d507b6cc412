#!/usr/bin/env bash
# Runs every command of the how-to pages on trust, as printed, page after page, in one folder and one shell.
# The last command of a block marked `bash refused` must fail; every other must succeed. -v shows what they print.
# usage: trust.sh BINARY [-v]
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
verbose=${2-}
work=$(mktemp -d /tmp/angos-trust.XXXXXX)
pages=(make-certificates rotate-certificates revoke-a-client use-spiffe-identities diagnose-a-refused-client run-behind-a-balancer)
trap 'rm -rf "$work"' EXIT

mkdir "$work/bin"
ln -s "$binary" "$work/bin/angos"
export PATH=$work/bin:$PATH

# The blocks of a page, each followed by a line that says that it came out as it should.
script() { # page
    awk -v page="$1" -v verbose="$verbose" '
        function end() {
            if (refused) printf ")\nstatus=$?; set -e; [ $status -ne 0 ] || { echo \"%s: block %d was not refused\"; exit 1; }\n", page, number
            printf "echo \"ok      %s, block %d\"\n", page, number
        }
        /^```bash( refused)?$/ { inside = 1; number++; refused = NF > 1; if (refused) print "set +e; ("; next }
        /^```/ { if (inside) end(); inside = 0; next }
        inside { print }
    ' "$here/../../docs/how-to/$1.md"
}

# The pages use 8443 to 8446, which may be taken here.
base=$((RANDOM % 1200 + 2000)) # below the ports the system gives out
{
    printf 'set -eu\nstop() { kill $(jobs -p) 2>/dev/null; wait; }\ntrap stop EXIT\n'
    for page in "${pages[@]}"; do script "$page"; done
    echo 'echo "all done"'
} | sed "s/844\([3-6]\)/$base\1/g" >"$work/run.sh"

cd "$work" || exit 1
timeout 300 bash ${verbose:+-v} run.sh >"$work/printed" 2>&1 </dev/null
if [ -n "$verbose" ]; then sed "s/$base\([3-6]\)/844\1/g" "$work/printed"; else grep '^ok ' "$work/printed"; fi
if [ "$(tail -n 1 "$work/printed")" = "all done" ]; then
    echo "pages on trust: $(grep -c '^ok ' "$work/printed") passed, 0 failed"
else
    tail -n 20 "$work/printed" | sed 's/^/    | /'
    tail -n 10 "$work/lab/angos.log" | sed 's/^/    log | /'
    echo "pages on trust: $(grep -c '^ok ' "$work/printed") passed, 1 failed"
    exit 1
fi
