/** What of the dialer outlives the daemon: the targets and the peers once met. */
import type { Endpoint } from "../values/endpoint.ts";

export interface KnownPeer {
  /** The member's name. */
  readonly name: string;
  readonly endpoint: Endpoint;
  /** All its addresses where it has several, tried in turn from the first. */
  readonly links?: readonly string[];
  /** When it was last alive, in milliseconds of the wall clock. */
  readonly lastAliveMs: number;
}

export interface DialerState {
  /** As given by the user. */
  readonly targets: readonly string[];
  readonly peers: readonly KnownPeer[];
}

/** Peers that were not alive for so long are dialled no more. */
export const PEER_EXPIRY_MS = 72 * 3_600_000;

/** The state that parsed JSON holds; what is malformed in it is left out, so that a damaged entry loses only itself. */
export function readDialerState(value: unknown): DialerState {
  if (!isObject(value)) return { targets: [], peers: [] };
  const { targets, peers } = value as { targets?: unknown; peers?: unknown };
  return {
    targets: asArray(targets).filter((target) => typeof target === "string"),
    peers: asArray(peers).filter(isKnownPeer),
  };
}

function isKnownPeer(value: unknown): value is KnownPeer {
  if (!isObject(value)) return false;
  const { name, endpoint, links, lastAliveMs } = value as Record<keyof KnownPeer, unknown>;
  if (typeof name !== "string" || !Number.isFinite(lastAliveMs) || !isObject(endpoint))
    return false;
  if (links !== undefined && !asArray(links).every((link) => typeof link === "string"))
    return false;
  const { ip, port } = endpoint as Record<keyof Endpoint, unknown>;
  return typeof ip === "string" && Number.isInteger(port);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
