/**
 * Member names: `<id>-<8 hex of the key>`, so that two holders of one id are two members and both are seen.
 *
 * Any other name belongs to a foreign member (plain memberlist).
 */
import { MAX_NODE_ID, type NodeId, parseNodeId } from "../values/node-id.ts";

export interface MemberName {
  readonly id: NodeId;
  /** The first 8 lower-case hex digits of the key's fingerprint. */
  readonly keyFingerprint: string;
}

const FINGERPRINT = /^[0-9a-f]{8}$/;

/** Whether `text` is 8 lower-case hex digits. */
export function isKeyFingerprint(text: string): boolean {
  return FINGERPRINT.test(text);
}

/** "7-0123abcd". Throws RangeError for an id or fingerprint that no node has. */
export function formatMemberName({ id, keyFingerprint }: MemberName): string {
  if (!Number.isInteger(id) || id < 1 || id > MAX_NODE_ID || !isKeyFingerprint(keyFingerprint)) {
    throw new RangeError(`no member name from id ${id} and fingerprint "${keyFingerprint}"`);
  }
  return `${id}-${keyFingerprint}`;
}

/** The parts of a member's name, or undefined for a foreign one. */
export function parseMemberName(name: string): MemberName | undefined {
  const [idText = "", keyFingerprint = "", ...rest] = name.split("-");
  const id = parseNodeId(idText);
  if (id === undefined || rest.length > 0 || !isKeyFingerprint(keyFingerprint)) return undefined;
  return { id, keyFingerprint };
}
