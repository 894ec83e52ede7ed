/**
 * The systemd units of a node, as text. Pure.
 *
 * Invariants: the IPAM socket is there before dockerd starts, so dockerd waits for us instead of giving up its containers; nothing
 * of ours is ordered after docker.service, which would deadlock with that; each process is a unit of its own, so that it restarts
 * alone; no unit takes /run/hansa or its sockets away when it stops.
 */
import type { ProcessSpec } from "./process-list.ts";

export const IPAM_SOCKET_UNIT = "hansa-ipam.socket";

/** The unit of each process. */
export const UNIT_OF: Readonly<Record<string, string>> = {
  "ipam-plugin": "hansa-ipam.service",
  tunnel: "hansa-tunnel.service",
  etcd: "hansa-etcd.service",
  daemon: "hansa.service",
};

/** File name → text, for these processes. `ipamSocket` is where Docker looks for the plugin. */
export function unitFiles(
  processes: readonly ProcessSpec[],
  ipamSocket: string,
): ReadonlyMap<string, string> {
  const files = new Map([[IPAM_SOCKET_UNIT, socketUnit(ipamSocket)]]);
  for (const spec of processes) {
    const file = UNIT_OF[spec.name];
    const own = SECTIONS[spec.name];
    if (file === undefined || own === undefined) continue;
    files.set(file, serviceUnit(spec, own));
  }
  return files;
}

/** The starter's units: `hansa install` makes them, no launch and no reset touches them. */
export const STARTER_UNITS = { socket: "hansa-starter.socket", service: "hansa-starter.service" };

/** File name → text, for the starter of `program` behind `socket`, which members of the group may use. */
export function starterUnitFiles(
  program: readonly string[],
  socket: string,
): ReadonlyMap<string, string> {
  return new Map([
    [
      STARTER_UNITS.socket,
      lines(
        "[Unit]",
        "Description=Hansa starter, socket",
        "",
        "[Socket]",
        `ListenStream=${socket.replaceAll("%", "%%")}`,
        "SocketMode=0660",
        "SocketGroup=hansa",
        "DirectoryMode=0755",
        `Service=${STARTER_UNITS.service}`,
        "",
        "[Install]",
        "WantedBy=sockets.target",
      ),
    ],
    [
      STARTER_UNITS.service,
      lines(
        "[Unit]",
        "Description=Hansa starter: starts the node for members of the group hansa",
        `Requires=${STARTER_UNITS.socket}`,
        `After=${STARTER_UNITS.socket}`,
        "",
        // It launches what root launches, so little can be closed to it; it ends by itself when nobody asks.
        "[Service]",
        `ExecStart=${[...program, "starter"].map(quote).join(" ")}`,
        "Type=simple",
        "ProtectHome=read-only",
        "ProtectHostname=yes",
        "ProtectClock=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "MemoryMax=512M",
      ),
    ],
  ]);
}

/** Of what runs etcd, as a process of its own or below it: files, sockets and nothing else of the host. */
const VOTE_SERVICE: readonly string[] = [
  "OOMScoreAdjust=-400",
  "LimitNOFILE=65536",
  "ProtectSystem=strict",
  "PrivateDevices=yes",
  "ProtectKernelTunables=yes",
  "ProtectKernelModules=yes",
  "ProtectControlGroups=yes",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
  "RestrictNamespaces=yes",
  "CapabilityBoundingSet=",
];

/** The witness' unit: no launch and no reset touches it. */
export const WITNESS_UNIT = "hansa-witness.service";

/** Its text. etcd is started by the process itself: it ends with the unit, and is started anew with it. */
export function witnessUnit(program: readonly string[]): string {
  return lines(
    "[Unit]",
    "Description=Hansa witness: a vote in a cluster's store",
    "After=network.target local-fs.target",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    `ExecStart=${[...program, "witness"].map(quote).join(" ")}`,
    ...COMMON,
    "RuntimeDirectory=hansa-witness",
    "RuntimeDirectoryMode=0755",
    ...VOTE_SERVICE,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  );
}

interface Own {
  readonly description: string;
  readonly unit: readonly string[];
  readonly service: readonly string[];
}

const SECTIONS: Readonly<Record<string, Own>> = {
  "ipam-plugin": {
    description: "Hansa address plugin for Docker",
    unit: [
      `Requires=${IPAM_SOCKET_UNIT}`,
      `After=${IPAM_SOCKET_UNIT} local-fs.target`,
      "Before=docker.service",
    ],
    // It speaks only over unix sockets and writes only its own folders.
    service: [
      "OOMScoreAdjust=-500",
      "ProtectSystem=strict",
      "PrivateDevices=yes",
      "ProtectClock=yes",
      "ProtectKernelTunables=yes",
      "ProtectKernelModules=yes",
      "ProtectControlGroups=yes",
      "RestrictAddressFamilies=AF_UNIX",
      "RestrictNamespaces=yes",
      "CapabilityBoundingSet=CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE",
    ],
  },
  tunnel: {
    description: "Hansa tunnel (WireGuard)",
    unit: ["After=local-fs.target"],
    service: [
      "OOMScoreAdjust=-500",
      "ProtectSystem=strict",
      "RuntimeDirectory=wireguard",
      "RuntimeDirectoryPreserve=yes",
      "ProtectKernelModules=yes",
      "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
      "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW",
    ],
  },
  etcd: {
    description: "Hansa store (etcd)",
    unit: ["After=network.target local-fs.target"],
    // It begins when the node's own address is there; until then it is started again and again.
    service: VOTE_SERVICE,
  },
  daemon: {
    description: "Hansa daemon",
    unit: [
      `Wants=${IPAM_SOCKET_UNIT} hansa-ipam.service network.target`,
      `After=${IPAM_SOCKET_UNIT} network.target local-fs.target`,
    ],
    // It sets routes, rules and sysctls, so the kernel's knobs stay open to it.
    service: ["OOMScoreAdjust=-400", "TimeoutStopSec=15"],
  },
};

/**
 * Hardening that cannot stand in the way: the executable may lie in a home or in /tmp, so both stay visible; the clock is protected only
 * in the plugin, because that closes all devices, and the tunnel needs /dev/net/tun.
 */
const COMMON: readonly string[] = [
  "Type=simple",
  "Restart=always",
  "RestartSec=100ms",
  "StateDirectory=hansa",
  "StateDirectoryMode=0700",
  "ProtectHome=read-only",
  "ProtectHostname=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
];

/** All but the tunnel, which has a folder of its own there, share /run/hansa, and none removes it. */
const SHARED_RUN: readonly string[] = [
  "RuntimeDirectory=hansa",
  "RuntimeDirectoryMode=0755",
  "RuntimeDirectoryPreserve=yes",
];

function serviceUnit(spec: ProcessSpec, own: Own): string {
  const environment = Object.entries(spec.env).map(
    ([name, value]) => `Environment=${quote(`${name}=${value}`)}`,
  );
  return lines(
    "[Unit]",
    `Description=${own.description}`,
    ...own.unit,
    // A process that must always run is never given up.
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    `ExecStart=${spec.argv.map(quote).join(" ")}`,
    ...environment,
    ...COMMON,
    ...(spec.name === "tunnel" ? [] : SHARED_RUN),
    ...own.service,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  );
}

function socketUnit(path: string): string {
  return lines(
    "[Unit]",
    "Description=Hansa address plugin for Docker, socket",
    "Before=docker.service",
    "",
    "[Socket]",
    `ListenStream=${path.replaceAll("%", "%%")}`,
    "SocketMode=0600",
    "DirectoryMode=0755",
    `Service=${UNIT_OF["ipam-plugin"]}`,
    "",
    "[Install]",
    "WantedBy=sockets.target",
  );
}

/** A word of a unit's line: systemd's own quoting, specifiers and variables made harmless. */
function quote(word: string): string {
  const safe = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[A-Za-z0-9_./:=@%$+,-]+$/.test(safe)
    ? safe
    : `"${safe.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function lines(...all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}
