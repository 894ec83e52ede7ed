/**
 * What a cluster answers to who asks to join it, and what it is asked. Pure.
 *
 * Invariant: what is taken from the answer is complete and bounded; the launch holds its values against its own rules.
 */
import { HansaError } from "../errors.ts";
import type { SealedRoots } from "../identity/sealed-roots.ts";
import type { Encryption } from "../processes/node-file.ts";
import { parseTarget } from "../values/endpoint.ts";
import { MAX_NODE_ID, type NodeId } from "../values/node-id.ts";

/** How a host that wants to join says who it is. The keys are public ones, base64 of 32 bytes. */
export interface JoinQuestion {
  readonly name: string;
  /** Ed25519: the node's identity. */
  readonly nodeKey: string;
  /** X25519, made for this once: the cluster's roots are sealed for it. */
  readonly oneTimeKey: string;
  /** That the asker holds the node key: see `proveNodeKey`. */
  readonly proof: string;
}

export interface Admission {
  readonly id: NodeId;
  /** The one that was asked for, or the one that this key had before. */
  readonly name: string;
  readonly cluster: string;
  readonly subnet: string;
  readonly encryption: Encryption;
  /** Whom to dial, HOST[:PORT] each. */
  readonly targets: readonly string[];
  readonly sealed: SealedRoots;
}

const MAX_TEXT = 300;
const MAX_TARGETS = 64;
const MAX_BOX = 65_536;

/** Throws API_ANSWER_INVALID naming the field. */
export function parseAdmission(value: unknown): Admission {
  const fields = recordOf(value, "the answer");
  const { id, name, cluster, subnet, encryption, targets } = fields;
  if (!Number.isInteger(id) || Number(id) < 1 || Number(id) > MAX_NODE_ID) malformed("id");
  if (encryption !== "wireguard" && encryption !== "none") malformed("encryption");
  const isTargets =
    Array.isArray(targets) &&
    targets.length > 0 &&
    targets.length <= MAX_TARGETS &&
    targets.every((each) => isText(each) && parseTarget(each) !== undefined);
  if (!isTargets) malformed("targets");
  const { publicKey, box } = recordOf(fields["sealed"], "sealed");
  if (!isText(publicKey)) malformed("sealed.publicKey");
  if (typeof box !== "string" || box.length > MAX_BOX) malformed("sealed.box");
  return {
    id: Number(id),
    name: isText(name) ? name : malformed("name"),
    cluster: isText(cluster) ? cluster : malformed("cluster"),
    subnet: isText(subnet) ? subnet : malformed("subnet"),
    encryption,
    targets: targets as string[],
    sealed: { publicKey, box },
  };
}

function recordOf(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) malformed(field);
  return value as Record<string, unknown>;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_TEXT;
}

function malformed(field: string): never {
  throw new HansaError("API_ANSWER_INVALID", `the cluster's admission is malformed at ${field}`);
}
