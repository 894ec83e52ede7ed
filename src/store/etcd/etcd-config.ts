/**
 * How etcd is told to run: the text of its configuration file. Pure.
 *
 * Invariants: clients are served on loopback only, whatever is asked; both sides show certificates at both ports; etcd's own check before a member is
 * added is off, because it refuses for 5 s after each promotion, and ours, before the promotion, is stricter.
 */
import type { EtcdTiming } from "../store-times.ts";

export interface EtcdSettings {
  /** Of the voter, among the members. */
  readonly name: string;
  /** Absolute; etcd makes it, with mode 0700. */
  readonly dataDir: string;
  /** The node's address inside of the overlay, and the port there. */
  readonly peer: { readonly ip: string; readonly port: number };
  readonly clientPort: number;
  /** Of `leaf`, key and certificate in one file, a newer one is read at each handshake. */
  readonly tlsFiles: { readonly leaf: string; readonly ca: string };
  /** All members when it begins, itself included: the list must be the store's own. Not looked at once there is data. */
  readonly members: readonly { readonly name: string; readonly peerUrl: string }[];
  /** `new` for the first voter of a new store. */
  readonly begins: "new" | "existing";
  /** Of the store: etcds of different ones never take each other for members. */
  readonly token: string;
  readonly timing: EtcdTiming;
  /** What the store may grow to; QUOTA_BYTES unless a test wants less. */
  readonly quotaBytes?: number;
}

/** What the store may grow to; etcd refuses writes beyond it. */
export const QUOTA_BYTES = 512 * 1024 * 1024;
/** Former revisions that can still be read and watched from. */
const KEPT_REVISIONS = 10_000;
/** Entries of the log between two snapshots: few, because a voter that was away for long gets a snapshot anyway. */
const SNAPSHOT_EVERY = 10_000;

/** `https://…` of a voter, as its members list has it. */
export function peerUrl({ ip, port }: { readonly ip: string; readonly port: number }): string {
  return `https://${ip}:${port}`;
}

/** The file's text: YAML, of which JSON is a part. */
export function etcdConfig(settings: EtcdSettings): string {
  const { name, dataDir, peer, clientPort, tlsFiles, members, begins, token, timing } = settings;
  const { quotaBytes = QUOTA_BYTES } = settings;
  const clients = `https://127.0.0.1:${clientPort}`;
  const security = {
    "cert-file": tlsFiles.leaf,
    "key-file": tlsFiles.leaf,
    "trusted-ca-file": tlsFiles.ca,
    "client-cert-auth": true,
  };
  const config = {
    name,
    "data-dir": dataDir,
    "listen-peer-urls": peerUrl(peer),
    "initial-advertise-peer-urls": peerUrl(peer),
    "listen-client-urls": clients,
    "advertise-client-urls": clients,
    "client-transport-security": security,
    "peer-transport-security": security,
    "initial-cluster": members.map((member) => `${member.name}=${member.peerUrl}`).join(","),
    "initial-cluster-state": begins,
    "initial-cluster-token": token,
    "heartbeat-interval": timing.heartbeatMs,
    "election-timeout": timing.electionMs,
    "pre-vote": true,
    "strict-reconfig-check": false,
    "quota-backend-bytes": quotaBytes,
    "auto-compaction-mode": "revision",
    "auto-compaction-retention": `${KEPT_REVISIONS}`,
    "snapshot-count": SNAPSHOT_EVERY,
    "enable-v2": false,
    logger: "zap",
    "log-outputs": ["stderr"],
    "log-level": "warn",
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
