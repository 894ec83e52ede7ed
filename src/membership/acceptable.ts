/** What a member may announce; anything else from the wire is dropped before it touches the table. */
import type { MemberFacts } from "./member-registry.ts";
import type { Versions } from "./message.ts";

/** memberlist's MetaMaxSize. */
export const MAX_META_BYTES = 512;
const MAX_NAME_LENGTH = 255;
const MAX_INCARNATION = 0xffffffff;

/** What we speak: protocol 2 to 5, no delegate protocol (facts about memberlist: others refuse any but 0). */
export const OUR_VERSIONS: Versions = [2, 5, 5, 0, 0, 0];

/** Whether a member with these facts can be in one cluster with `ours`. */
export function isAcceptable(facts: MemberFacts, incarnation: number, ours: Versions): boolean {
  const { name, endpoint, meta, versions } = facts;
  const [least, most, current] = versions;
  return (
    name.length > 0 &&
    name.length <= MAX_NAME_LENGTH &&
    endpoint.ip.length > 0 &&
    endpoint.port >= 1 &&
    endpoint.port <= 65535 &&
    meta.length <= MAX_META_BYTES &&
    Number.isInteger(incarnation) &&
    incarnation >= 0 &&
    incarnation <= MAX_INCARNATION &&
    least > 0 &&
    least <= most &&
    current >= ours[0] &&
    current <= ours[1]
  );
}

/** The incarnation that beats both; it stops at the greatest that the wire can carry. */
export function beyond(a: number, b: number): number {
  return Math.min(MAX_INCARNATION, Math.max(a, b) + 1);
}
