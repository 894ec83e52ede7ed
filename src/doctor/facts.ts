/**
 * What the doctor's checks look at: plain data, gathered before any of them runs. Undefined means that it was not or could not be looked at.
 */
import type { HansaError } from "../errors.ts";
import type { Stranger } from "../processes/store-strangers.ts";
import type { UsedBlock } from "../processes/subnet-collision.ts";
import type { TakenPort } from "../processes/taken-ports.ts";

/** What can be seen of a host whether or not a node runs on it. */
export interface HostFacts {
  readonly isRoot: boolean;
  /** What the host was launched as; undefined on one that never was. */
  readonly launched: { readonly id: number; readonly name: string } | undefined;
  /** The launched cluster's, or what a launch would take. */
  readonly isEncrypted: boolean;
  /** The launched one's, or the default that a launch would take. */
  readonly subnet: string;
  /** Launched, and then stopped on purpose. */
  readonly isStopped: boolean;
  readonly docker: DockerState;
  readonly usedBlocks: readonly UsedBlock[];
  /** TOOL_MISSING, when a program is. */
  readonly missingTools: HansaError | undefined;
  readonly kernelHasWireguard: boolean;
  readonly hasTun: boolean;
  /** Why nft does not work, in its own words; null when it does. */
  readonly nftComplaint: string | null | undefined;
  /** What `wireguard-go --version` says of the one that runs, or would; undefined without one. */
  readonly wireguardGo: string | undefined;
  /** Asked only while no node runs. */
  readonly takenPorts: readonly TakenPort[] | undefined;
  /** At the ports that the store uses, or would; undefined without root. */
  readonly storeStrangers: readonly Stranger[] | undefined;
  /** Undefined where the machine's own network namespace has it and ours has not. */
  readonly gcThresh3: number | undefined;
  readonly ipForward: number | undefined;
  /** The processes of a launched node. */
  readonly processes: readonly ProcessState[];
  readonly pluginSpec: PluginSpec;
  readonly disk: DiskFacts | undefined;
  /** Each small write with fsync, in ms. */
  readonly fsyncMs: readonly number[] | undefined;
  readonly clock: ClockFacts;
}

export type DockerState =
  | { readonly kind: "away"; readonly error: HansaError }
  | {
      readonly kind: "there";
      readonly version: string;
      readonly firewall: "iptables" | "nftables" | "firewalld";
      readonly liveRestore: boolean;
      /** DOCKER_TOO_OLD and the like. */
      readonly error?: HansaError;
    };

export interface ProcessState {
  /** "daemon", "ipam-plugin", "tunnel", "supervise". */
  readonly name: string;
  readonly isRunning: boolean;
  /** Who tells: "systemd", or the pid file. */
  readonly by: string;
}

export interface PluginSpec {
  readonly path: string;
  readonly expected: string;
  /** null: there is no such file. */
  readonly found: string | null | undefined;
}

export interface DiskFacts {
  readonly path: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly freeInodes: number;
  /** 0 on file systems that do not count them. */
  readonly totalInodes: number;
}

export interface ClockFacts {
  /** False where the clock is another's to keep, as in a container. */
  readonly isOurs: boolean;
  /** Undefined when nobody can tell. */
  readonly isSynchronised: boolean | undefined;
  /** Who said so: "systemd", "chronyd". */
  readonly by: string;
}

/** What a running node knows beyond its host. */
export interface NodeFacts {
  readonly id: number;
  readonly name: string;
  readonly ip: string;
  readonly ports: { readonly gossip: number; readonly overlay: number; readonly api: number };
  readonly warnings: readonly {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
  }[];
  /** Gone for good by the cluster's records: the others have closed their tunnels to it, and answer it nothing. */
  readonly isDeparted: boolean;
  readonly linkMtu: number;
  readonly linkName: string | undefined;
  readonly tunnelMtu: number;
  /** What DOCKER-USER must hold, and holds; undefined where Docker has no such chain. */
  readonly dockerUser: { readonly wanted: number; readonly found: number | undefined } | undefined;
  readonly unheldLeases: readonly { readonly address: string; readonly ageMs: number }[];
  readonly owners: readonly {
    readonly id: number;
    readonly name: string | null;
    readonly addresses: number;
    readonly percent: number;
    readonly reachable: boolean;
  }[];
  readonly peers: readonly PeerFacts[];
  /** Those given at launch or connect that lead to no member. */
  readonly targets: readonly TargetFacts[];
  /** In common with each peer; "unknown" where there is only one. */
  readonly links: readonly {
    readonly link: number;
    readonly own: string;
    readonly peer: { readonly id: number; readonly name: string };
    readonly address: string;
    readonly state: "up" | "down" | "unknown";
  }[];
}

/** A target that was tried more than once, in vain. */
export interface TargetFacts {
  /** As given. */
  readonly target: string;
  /** As `status` says it. */
  readonly why: string;
  /** name: it stands for no address. authentication: what answers has another token or cluster name. path: nothing answers. */
  readonly cause: "name" | "authentication" | "path";
}

/** One way: what arrived of what was sent. Sizes are of whole IP datagrams. */
export interface Arrivals {
  /** Sizes of datagrams that arrived at the address outside of the tunnel. */
  readonly udp: readonly number[];
  /** Sizes that arrived through the tunnel. */
  readonly tunnel: readonly number[];
  /** A message over TCP arrived. */
  readonly tcp: boolean;
}

/** null: it works; else why it does not. */
export type Attempt = string | null;

/** What a node found out about another by the exchange; "there" is the other. */
export interface PeerFacts {
  readonly id: number;
  readonly name: string;
  readonly ip: string;
  readonly ports: { readonly gossip: number; readonly overlay: number; readonly api: number };
  /** Gossip holds it alive. */
  readonly isHeard: boolean;
  readonly version: string;
  /** Traffic proved the tunnel when the exchange began. */
  readonly tunnelProved: boolean;
  /** What was sent there, and as much from there. */
  readonly sent: { readonly udp: readonly number[]; readonly tunnel: readonly number[] };
  readonly arrivedHere: Arrivals;
  /** Undefined without its report. */
  readonly arrivedThere: Arrivals | undefined;
  readonly tcpFromHere: Attempt;
  readonly tcpFromThere: Attempt | undefined;
  /** Of the port by which a relay would carry the tunnel; undefined where there is no relay, or no report. */
  readonly relayFromHere: Attempt | undefined;
  readonly relayFromThere: Attempt | undefined;
  /** Of the port of its API, outside of the tunnel. The other way is asked of the other node. */
  readonly apiFromHere: Attempt;
  /** A relay carries the tunnel. */
  readonly isRelayed: boolean;
  /** Growth of the tunnel's counters at both ends meanwhile. */
  readonly traffic: { readonly here: Growth | undefined; readonly there: Growth | undefined };
  /** Packets with broken checksums counted meanwhile. */
  readonly brokenHere: number;
  readonly brokenThere: number | undefined;
  /** The kernel's own knowledge of the path's MTU, when it is less than the link's. */
  readonly kernelMtuHere: number | undefined;
  /** Its clock minus ours, and how long the exchange took that told. */
  readonly clock: { readonly skewMs: number; readonly rttMs: number } | undefined;
}

/** Bytes of one peer of the tunnel. */
export interface Growth {
  readonly rx: number;
  readonly tx: number;
}

export interface Facts {
  readonly host: HostFacts;
  /** Undefined while no node runs. */
  readonly node: NodeFacts | undefined;
}
