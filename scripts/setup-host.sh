#!/bin/sh
# Installs the system packages that Hansa, its playground and its tests need, on Debian 12 as root.
#
# More packages may be named, such as those of a benchmark's peer.
# Idempotent: a few milliseconds when nothing is missing, and the network is asked only for what is.
# Progress goes to stderr. Docker is installed without starting a daemon in the root namespace.
set -eu

PACKAGES="docker.io nftables iptables iproute2 wireguard-tools busybox-static tini socat iputils-ping
  procps tcpdump util-linux ca-certificates docker-compose ethtool iperf3 strace
  etcd-server golang-go golang-github-hashicorp-memberlist-dev $*"
GUARD=/usr/sbin/policy-rc.d

here=$(cd "$(dirname "$0")" && pwd)

say() { echo "setup: $*" >&2; }

fail() {
  echo "setup: $1" >&2
  echo "hint: $2" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail "root privileges required" "run the same command with sudo"
command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
  fail "this is not Debian: no dpkg-query or apt-get" "install these by hand: $(echo $PACKAGES)"

# One dpkg-query for all: it prints the installed ones and complains about the rest.
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $PACKAGES 2>/dev/null || :)
missing=
for package in $PACKAGES; do
  case "
$installed
" in
    *"
$package installed
"*) ;;
    *) missing="$missing $package" ;;
  esac
done

if [ -n "$missing" ]; then
  # Debian starts a service as soon as it is installed unless this file says no. One that is there
  # already (container images have it) is left alone.
  if [ ! -e "$GUARD" ]; then
    trap 'rm -f "$GUARD"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$GUARD"
    chmod 755 "$GUARD"
  fi
  # The guard does not hold at the next boot; nobody but Hansa is to run this one, with settings of its own.
  case "$missing" in
    *etcd-server*) [ ! -d /run/systemd/system ] || systemctl mask etcd.service >&2 ;;
  esac
  export DEBIAN_FRONTEND=noninteractive
  say "updating package lists"
  apt-get update -qq >&2 ||
    fail "the package lists could not be updated" "check the network and /etc/apt/sources.list"
  say "installing$missing"
  apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 \
    -o Dpkg::Use-Pty=0 $missing >/dev/null ||
    fail "packages could not be installed:$missing" "run apt-get install$missing to see why"
fi

if [ -f "$here/install-wireguard-go.sh" ]; then
  sh "$here/install-wireguard-go.sh" >&2
fi

if [ ! -c /dev/net/tun ]; then
  say "making /dev/net/tun"
  modprobe tun 2>/dev/null || :
  if [ ! -c /dev/net/tun ]; then
    mkdir -p /dev/net
    mknod -m 666 /dev/net/tun c 10 200
  fi
fi

# Docker's storage driver and the playground's private folders are overlays.
grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null ||
  fail "the kernel has no overlay file system" "load or build its module 'overlay'"
