/** Pieces of nftables' language in the form in which nft lists them, so that an adapter compares bytes. Pure. */
import { type Cidr, formatCidr } from "../values/cidr.ts";

/** A set, map or chain of a table: its title, and its lines one level deeper. */
export function nftBlock(title: string, lines: readonly string[]): string {
  return `\t${title} {\n\t\t${lines.join("\n\t\t")}\n\t}\n`;
}

/** The lines of a set or map: what comes before the elements, and these as nft wraps them, `perLine` in a line. */
export function nftSet(
  head: readonly string[],
  values: readonly string[],
  perLine: number,
): readonly string[] {
  if (values.length === 0) return head;
  const lines: string[] = [];
  for (let at = 0; at < values.length; at += perLine) {
    lines.push(values.slice(at, at + perLine).join(", "));
  }
  return [...head, `elements = { ${lines.join(",\n\t\t\t     ")} }`];
}

/** A block as an element of an interval set: without its length where it is one address. */
export function nftElement(block: Cidr): string {
  return formatCidr(block).replace(/\/32$/, "");
}
