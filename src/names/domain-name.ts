/**
 * Domain names as lists of labels, and which names containers and nodes may have in our zone.
 *
 * Invariant: a label is 1 to 63 bytes, each as one latin-1 character, so that a label with a dot in it is never taken for two.
 * Comparison folds ASCII letters only, as DNS does.
 */

/** The zone that we answer for, without dots. */
export const ZONE = "hansa";

/** The label below which nodes have their names: host1.node.hansa. */
export const NODES = "node";

/** The longest name below the zone, in characters: the firewall looks for the zone's label up to there. */
export const MAX_LOCAL_NAME = 100;

export const MAX_LABEL = 63;

/** A fully qualified name without the root: ["web", "hansa"]. */
export type DomainName = readonly string[];

const LOCAL_NAME = /^[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/;

/**
 * `text` as a name below the zone, in lower case, or undefined when it cannot be one: longer than 100 characters, an empty label or
 * one above 63, or a character that is neither letter, digit, dash nor underscore.
 */
export function localName(text: string): string | undefined {
  const name = text.toLowerCase();
  return name.length <= MAX_LOCAL_NAME && LOCAL_NAME.test(name) ? name : undefined;
}

/** The name in lower case, labels joined by dots; undefined when a label has a dot or control byte, which no name of ours has. */
export function foldedName(name: DomainName): string | undefined {
  for (const label of name) if (!/^[!-\-/-~]+$/.test(label)) return undefined;
  return name.join(".").toLowerCase();
}
