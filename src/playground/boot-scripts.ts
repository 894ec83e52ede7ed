/**
 * The shell scripts of a host: how its pid 1 comes to be, what it starts, and what keeps its dockerd running.
 *
 * They are constants; everything that varies comes in by environment variables, so no value is ever parsed as shell.
 * Shell and not Node, because a host's pid 1 must cost nothing and the mounts must be made by the process that then becomes it.
 */

/**
 * Runs as pid 1 of a fresh mount, pid and UTS namespace and ends by becoming tini, which reaps what is orphaned.
 *
 * Environment: HPG_NAME, HPG_HOST (host name), HPG_DISK (the host's folder), HPG_BINARY (may be empty), HPG_CGROUP.
 */
export const BOOT_SCRIPT = `#!/bin/sh
set -eu
hostname "$HPG_HOST"
disk=$HPG_DISK

# Mounts below /run (other hosts' namespaces among them) would live as long as this host does: let go of them.
for point in $(cut -d " " -f 5 /proc/self/mountinfo); do
  case $point in /run/?*) umount -l "$point" 2>/dev/null || : ;; esac
done

# Folders that a host writes to are overlays: what this machine has shows through, what the host writes is its own.
mount -t tmpfs -o mode=755 tmpfs "$disk/ram"
cd "$disk/ram"
mkdir lib lib-work lib-all sys
mount -t overlay -o "lowerdir=/etc,upperdir=$disk/etc,workdir=$disk/etc-work" overlay /etc
mkdir -p /etc/docker /etc/hansa
mount --bind "$disk/etc-docker" /etc/docker
mount --bind "$disk/etc-hansa" /etc/hansa

# The contexts of whoever tries the playground are none of its hosts': a whiteout of the overlay hides them until the host has its own.
[ -e "$disk/root-work/work" ] || [ -e "$disk/root/.hansa" ] || mknod "$disk/root/.hansa" c 0 0
mount -t overlay -o "lowerdir=/root,upperdir=$disk/root,workdir=$disk/root-work" overlay /root

# The playground's executable lies below, so that the host may put another over it, which stays on its disk.
below=/usr/local/bin
[ -z "$HPG_BINARY" ] || below=\${HPG_BINARY%/*}:$below
mount -t overlay -o "lowerdir=$below,upperdir=$disk/local-bin,workdir=$disk/local-bin-work" \\
  overlay /usr/local/bin

# A sysfs of our own shows this host's interfaces; control groups are carried over into it.
mount --rbind /sys/fs/cgroup sys
mount -t sysfs sysfs /sys
mount --rbind sys /sys/fs/cgroup
umount -l sys

mount --bind "$disk/log" /var/log
mount --bind "$disk/tmp" /tmp
mount -t overlay -o "lowerdir=/var/lib,upperdir=$disk/ram/lib,workdir=$disk/ram/lib-work" overlay lib-all
mkdir -p lib-all/docker lib-all/hansa lib-all/containerd
mount --bind "$disk/docker" lib-all/docker
mount --bind "$disk/hansa" lib-all/hansa
# Without this, the playground's own disks would be seen through the overlay.
mkdir -p lib-all/hansa-playground
mount -t tmpfs -o mode=755 tmpfs lib-all/hansa-playground

mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
mkdir -p /run/lock /run/playground
cp "\${disk%/*}/init.sh" "\${disk%/*}/docker.sh" /run/playground/
echo "$HPG_CGROUP" >/run/playground/cgroup
mount --rbind lib-all /var/lib
cd /

echo "$HPG_NAME $HPG_HOST" >/run/playground/ready
exec tini -- sh /run/playground/init.sh
`;

/**
 * The only child of tini: starts what a launched host starts, in the order of a real one, and then just stays.
 *
 * A file of its own, so that pid 1's command line does not hold words by which somebody looks for processes.
 */
export const INIT_SCRIPT = `#!/bin/sh
# Power-on order of a real host: what Docker needs, Docker, the rest.
# What an installation has a host start, launched or not.
isInstalled() { [ -e /etc/hansa/install.json ] && [ -x /usr/local/bin/hansa ]; }
isWitness() { [ -e /var/lib/hansa/witness/witness.json ] && [ -x /usr/local/bin/hansa ]; }
isLaunched() { [ -e /var/lib/hansa/node.json ] && [ -x /usr/local/bin/hansa ]; }
if isLaunched || isInstalled || isWitness; then timeout 30 hansa boot early >>/var/log/hansa-boot.log 2>&1 </dev/null || :; fi
# In a shell that ends at once: the keeper becomes tini's, which reaps it; what this script becomes would not.
(setsid sh /run/playground/docker.sh </dev/null >/dev/null 2>&1 &)
until [ -e /run/playground/dockerd.pid ]; do sleep 0.01; done
if isLaunched; then hansa boot late >>/var/log/hansa-boot.log 2>&1 </dev/null || :; fi
exec sleep infinity
`;

/**
 * Starts dockerd again whenever it ends, as systemd does, until /run/playground/docker-stopped is there.
 *
 * Its pid, as the host sees it, is in /run/playground/dockerd.pid; the parent of its containers' control groups in
 * /run/playground/cgroup.
 */
export const DOCKER_SCRIPT = `#!/bin/sh
echo $$ >/run/playground/docker-keeper.pid
read -r cgroup </run/playground/cgroup
while [ ! -e /run/playground/docker-stopped ]; do
  # A killed dockerd leaves this; the pid in it may be somebody else's by now, and dockerd would refuse to start.
  rm -f /run/docker.pid
  dockerd --cgroup-parent "$cgroup" --exec-opt native.cgroupdriver=cgroupfs \\
    >>/var/log/dockerd.log 2>&1 </dev/null &
  echo $! >/run/playground/dockerd.pid
  wait $!
  rm -f /run/playground/dockerd.pid
  sleep 0.2
done
rm -f /run/playground/docker-keeper.pid
`;

/** Stops dockerd on purpose and waits for its end, as `systemctl stop docker` does. Runs in the host. */
export const STOP_DOCKER_SCRIPT = `
touch /run/playground/docker-stopped
# Its keeper may be about to start it again, or already be on its way out.
while [ -e /run/playground/docker-keeper.pid ] && [ ! -e /run/playground/dockerd.pid ]; do
  sleep 0.05
done
[ ! -e /run/playground/dockerd.pid ] || read -r pid </run/playground/dockerd.pid && kill -TERM "$pid"
while [ -e /run/playground/docker-keeper.pid ]; do sleep 0.05; done
`;

/** Undoes STOP_DOCKER_SCRIPT; returns before dockerd answers. Runs in the host. */
export const START_DOCKER_SCRIPT = `
rm -f /run/playground/docker-stopped
[ -e /run/playground/docker-keeper.pid ] ||
  setsid sh /run/playground/docker.sh </dev/null >/dev/null 2>&1 &
`;

/** Kills dockerd as a crash would; what keeps it starts it again. Runs in the host. */
export const KILL_DOCKER_SCRIPT = `
read -r pid </run/playground/dockerd.pid && kill -KILL "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
`;
