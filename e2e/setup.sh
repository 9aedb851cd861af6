#!/usr/bin/env bash
# Installs what the end-to-end tests need, from pinned versions: Envoy and the Python peers into target/, the Node peers here.
# Exit code 77: a tool is missing, nothing was run.
set -euo pipefail
cd "$(dirname "$0")"
venv=../target/e2e-venv

needs() { printf '!!! not run: needs %s, install with: %s\n' "$1" "$2"; exit 77; }
command -v node >/dev/null || needs 'node >= 20.18' 'apt-get install nodejs'
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 18) ? 0 : 1)' \
  || needs 'node >= 20.18' "your system's way to a newer Node (found $(node --version))"
command -v npm >/dev/null || needs npm 'apt-get install npm'
command -v python3 >/dev/null || needs 'python3 >= 3.11' 'apt-get install python3 python3-venv'
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || needs 'python3 >= 3.11' "your system's way to a newer Python"
python3 -c 'import ensurepip, venv' 2>/dev/null || needs "Python's venv" 'apt-get install python3-venv'

started=$SECONDS
# A stamp keeps the second run quick: it is as old as the last list that was installed.
if ! cmp -s requirements.txt "$venv/installed.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
  cp requirements.txt "$venv/installed.txt"
fi
if ! cmp -s package-lock.json node_modules/.installed.json; then
  npm ci --silent
  cp package-lock.json node_modules/.installed.json
fi
printf 'end to end: installed in %s s\n' "$((SECONDS - started))"
