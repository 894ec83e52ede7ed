#!/bin/sh
# Installs wireguard-go for hosts whose kernel has no WireGuard. Safe to run again.
#
# Debian 12's own package is of 2022 and reaches about a quarter of the speed of the one in backports, so that one is
# taken where the release's own is old. The backports source is derived from the host's own Debian source at run time, and is
# used for this one install only: nothing is added under /etc/apt. Where that fails the release's package is installed, with a warning.
set -eu

GOOD=0.0.20230223 # first release with vector I/O on the tun device and batched UDP

say() { printf '%s\n' "$*" >&2; }
good() { [ -n "$1" ] && [ "$1" != "(none)" ] && dpkg --compare-versions "$1" ge "$GOOD"; }
installed() { dpkg-query -W -f '${db:Status-Status} ${Version}\n' wireguard-go 2>/dev/null | sed -n 's/^installed //p'; }
candidate() { LC_ALL=C apt-cache policy wireguard-go 2>/dev/null | sed -n 's/^ *Candidate: //p'; }

if good "$(installed)"; then
  say "wireguard-go $(installed) is installed"
  exit 0
fi
[ "$(id -u)" = 0 ] || { say "root privileges required"; exit 1; }

# shellcheck source=/dev/null
codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# apt drops its rights to fetch, and must still reach these.
chmod 755 "$work"
mkdir -p "$work/parts" "$work/lists/partial"
export DEBIAN_FRONTEND=noninteractive

# Prints a deb822 source for backports, made from the first stanza or line that serves this release itself.
backports_source() {
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    awk -v suite="$codename" '
      function flush_stanza(  n, i, list, found) {
        n = split(suites, list, " ")
        for (i = 1; i <= n; i++) if (list[i] == suite) found = 1
        if (found && types ~ /(^| )deb( |$)/ && enabled != "no" && !done) {
          print "Types: deb\nURIs: " uris "\nSuites: " suite "-backports\nComponents: main"
          if (signed != "") print "Signed-By: " signed
          done = 1
        }
        types = uris = suites = signed = enabled = key = ""
      }
      /^#/ { next }
      /^[ \t]*$/ { flush_stanza(); next }
      /^[ \t]/ { if (key == "signed-by") signed = signed "\n" $0; next }
      {
        key = tolower($0); sub(/:.*/, "", key)
        value = $0; sub(/^[^:]*:[ \t]*/, "", value)
        if (key == "types") types = value
        if (key == "uris") uris = value
        if (key == "suites") suites = value
        if (key == "signed-by") signed = value
        if (key == "enabled") enabled = tolower(value)
      }
      END { flush_stanza() }
    ' "$file"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] || continue
    awk -v suite="$codename" '
      $1 == "deb" && !done {
        options = ""; rest = $0; sub(/^[ \t]*deb[ \t]+/, "", rest)
        if (rest ~ /^\[/) { options = rest; sub(/\].*/, "", options); sub(/^\[/, "", options); sub(/^[^\]]*\][ \t]*/, "", rest) }
        split(rest, field, /[ \t]+/)
        if (field[2] != suite) next
        print "Types: deb\nURIs: " field[1] "\nSuites: " suite "-backports\nComponents: main"
        if (match(options, /signed-by=[^ \t]+/)) print "Signed-By: " substr(options, RSTART + 10, RLENGTH - 10)
        done = 1
      }
    ' "$file"
  done
}

from_backports() {
  [ -n "$codename" ] || return 1
  # Blank lines end a stanza, so only the first source found is kept.
  backports_source | awk '/^Types:/ { n++ } n == 1' > "$work/parts/backports.sources"
  [ -s "$work/parts/backports.sources" ] || return 1
  # Lists of its own: the host's lists are neither read nor cleaned up. What is installed satisfies the dependencies.
  set -- -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/parts" \
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
  apt-get "$@" -qq update >&2 || return 1
  apt-get "$@" -qq -y --no-install-recommends -t "$codename-backports" install wireguard-go >&2 || return 1
  good "$(installed)"
}

from_release() {
  apt-get -qq -y --no-install-recommends install wireguard-go >&2 && return 0
  apt-get -qq update >&2 && apt-get -qq -y --no-install-recommends install wireguard-go >&2
}

if good "$(candidate)"; then
  from_release
elif ! from_backports; then
  from_release
  good "$(installed)" ||
    say "warning: wireguard-go $(installed) is slow; the release's backports, which have a faster one, could not be used"
fi
say "wireguard-go $(installed) is installed"
