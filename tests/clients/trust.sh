#!/usr/bin/env bash
# Follows the how-to pages on trust: runs every command as printed, page after page, in one folder and one shell, and
# compares what each block prints with what the page shows below it, but for what is different each time
# (trust/normalise.sed). The last command of a block marked `bash refused` must fail; every other must succeed.
# usage: trust.sh BINARY [-v]    -v: shows what every block prints
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
work=$(mktemp -d /tmp/angos-trust.XXXXXX)
pages=(make-certificates rotate-certificates revoke-a-client use-spiffe-identities diagnose-a-refused-client run-behind-a-balancer)
trap 'rm -rf "$work"' EXIT

mkdir "$work/bin" "$work/blocks" "$work/home"
ln -s "$binary" "$work/bin/angos"
export PATH=$work/bin:$PATH:/usr/sbin

# A page as files: the commands of each block, whether it must be refused, and what the page shows of its output.
split() { # number of the page, its name
    awk -v stem="$work/blocks/$1-$2" '
        /^```/ && inside { inside = 0; close(file); next }
        /^```bash( refused)?$/ {
            inside = 1; file = sprintf("%s-%02d.sh", stem, ++number)
            if (NF > 1) printf "" > (file ".refused")
            next
        }
        /^```text$/ && number {
            inside = 1; file = sprintf("%s-%02d.sh.shown", stem, number)
            printf "" > file
            next
        }
        /^```/ { inside = 1; file = "/dev/null"; next }
        inside { print > file }
    ' "$here/../../docs/how-to/$2.md"
}
for index in "${!pages[@]}"; do split "$index" "${pages[index]}"; done

# The pages use 8443 to 8448, which may be taken here.
export base=$((RANDOM % 1200 + 2000)) # below the ports the system gives out
sed -i "s/844\([3-8]\)/$base\1/g" "$work"/blocks/*.sh

cd "$work/home"
status=0
timeout 300 bash "$here/trust/follow.sh" "$work/blocks" "$here/trust/normalise.sed" "${2-}" </dev/null || status=$?
[ "$status" -eq 0 ] || tail -n 10 "$work/home/lab/angos.log" | sed 's/^/    log | /'
exit "$status"
