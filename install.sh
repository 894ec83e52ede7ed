#!/bin/sh
# Installs Hansa on this host from a release file: fetches it where it is a URL, checks its sha256, then runs `hansa install`.
#
#   sh install.sh [--from FILE|URL] [--sha256 HEX] [OPTION OF hansa install…]
#
# Without --from: dist/hansa or hansa beside this script. Without --sha256: the sum in FILE.sha256 or URL.sha256, in the form
# that sha256sum prints. A file without a sum is refused, and nothing is run before the sum was found right.
set -eu

say() { printf 'install: %s\n' "$*" >&2; }
fail() {
  say "$1"
  printf 'hint: %s\n' "$2" >&2
  exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
from=
sum=
while [ $# -gt 0 ]; do
  case $1 in
    --from) from=${2:-} && shift 2 || fail "--from needs a file or URL" "sh install.sh --from FILE|URL" ;;
    --from=*) from=${1#*=} && shift ;;
    --sha256) sum=${2:-} && shift 2 || fail "--sha256 needs 64 hex digits" "sha256sum FILE prints them" ;;
    --sha256=*) sum=${1#*=} && shift ;;
    -h | --help)
      sed -n 's/^# \{0,1\}//p' "$0" | sed 1d
      exit 0
      ;;
    *) break ;;
  esac
done

if [ -z "$from" ]; then
  for from in "$here/dist/hansa" "$here/hansa" ""; do [ ! -f "$from" ] || break; done
  [ -n "$from" ] || fail "there is no hansa beside this script" "give one with --from FILE|URL"
fi

# In a folder from which programs may run, also where /tmp forbids that.
work=$(mktemp -d "${TMPDIR:-/var/tmp}/hansa-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# fetch URL FILE: 1 when it is not there.
fetch() {
  if command -v curl >/dev/null; then
    curl -fsSL --retry 2 -o "$2" "$1"
  elif command -v wget >/dev/null; then
    wget -q -O "$2" "$1"
  else
    fail "neither curl nor wget is installed" "fetch $from yourself, then: sh install.sh --from FILE"
  fi
}

case $from in
  http://* | https://*)
    say "fetching $from"
    fetch "$from" "$work/hansa" || fail "$from cannot be fetched" "look at the address in a browser"
    [ -n "$sum" ] || fetch "$from.sha256" "$work/sum" 2>/dev/null || :
    ;;
  *)
    [ -f "$from" ] || fail "there is no file $from" "give one with --from FILE|URL"
    # A copy: what is checked is what is run.
    cp "$from" "$work/hansa"
    [ ! -f "$from.sha256" ] || cp "$from.sha256" "$work/sum"
    ;;
esac

[ -n "$sum" ] || [ ! -f "$work/sum" ] || read -r sum _ <"$work/sum" || :
[ -n "$sum" ] || fail "there is no checksum for $from" "give it with --sha256 HEX, or put it in $from.sha256"
sum=$(printf %s "$sum" | tr A-F a-f)
found=$(sha256sum "$work/hansa" | cut -d ' ' -f 1)
[ "$found" = "$sum" ] ||
  fail "the checksum of $from is $found, not $sum" "the file is damaged or another one: fetch it again"

chmod 755 "$work/hansa"
"$work/hansa" install "$@"
