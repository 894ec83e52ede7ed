#!/bin/sh
# Runs one of our scripts under the project's own Node 26, installing npm packages first when they are
# missing or older than the lockfile. Plain sh, because nothing of ours is installed before it.
set -eu
cd "$(dirname "$0")/.."
stamp=node_modules/.package-lock.json
if [ ! -f "$stamp" ] || [ package-lock.json -nt "$stamp" ] || [ ! -x node_modules/.bin/node ]; then
  echo "installing npm packages" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
fi
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
exec node "$@"
