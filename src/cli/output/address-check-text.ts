/** The report of `ipam check` for people: leases as a table, what is wrong as sentences. Pure. */
import type { AddressCheck, Lease } from "../../api/address-schemas.ts";
import { alignColumns } from "./align-columns.ts";

const HEADINGS = ["ADDRESS", "CONTAINER", "REASON", "AGE", "STATE"] as const;

export function leasesText({ leases }: AddressCheck): string {
  const rows = leases.map((lease) => [
    lease.address,
    lease.reason === "gateway" ? "(bridge hansa0)" : (lease.container?.name ?? "-"),
    lease.reason,
    lease.ageSeconds === null ? "-" : ageText(lease.ageSeconds),
    stateText(lease),
  ]);
  return alignColumns([HEADINGS, ...rows]);
}

/** Two units at most: "4 m 5 s", "3 h 2 m", "9 d 1 h". */
export function ageText(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
    ["s", 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return "0 s";
  let left = seconds;
  const parts = units.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return [count, unit] as const;
  });
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** What is said below the table, and whether anything is wrong that stays so. */
export function addressCheckNotes(check: AddressCheck): {
  readonly lines: readonly string[];
  readonly isWrong: boolean;
} {
  const lines: string[] = [];
  const { freed, holes, unreachable, conflicts } = check;
  const leaks = check.leases.filter(({ state }) => state === "leak").length;
  const elsewhere = check.leases.filter(({ state }) => state === "elsewhere").length;
  if (freed.length > 0) lines.push(`freed: ${freed.join(", ")}`);
  if (leaks > 0) {
    lines.push(`${counted(leaks, "address is", "addresses are")} leaked: no container has them`);
    lines.push("Hint: they are freed by themselves, or at once by hansa ipam check --repair");
  }
  if (elsewhere > 0) {
    lines.push(
      `${counted(elsewhere, "container has an address", "containers have addresses")} that another node may give out: restart them`,
    );
  }
  for (const { first, last, addresses } of holes) {
    lines.push(`the owner of ${first} to ${last} (${addresses} addresses) is not known here`);
  }
  for (const { id, name, addresses, fixedAddresses } of unreachable) {
    // Counted as `status --ipam` does: those of the dynamic range.
    const owned = addresses > 0 ? `${addresses} addresses` : `${fixedAddresses} fixed addresses`;
    // A seed node that nobody ever met owns its part from birth, and misses nobody.
    if (name === null) lines.push(`node ${id} owns ${owned} and was never heard here`);
    else lines.push(`node ${id} (${name}) owns ${owned} and is not heard`);
  }
  if (unreachable.length > 0) {
    lines.push(
      "Hint: where such a node is gone for good, or never comes, take them over: hansa ipam take-over NODE",
    );
  }
  if (conflicts > 0) {
    lines.push(
      `${counted(conflicts, "record", "records")} contradicted this node's since its start`,
    );
  }
  const isWrong = leaks + elsewhere + holes.length + conflicts > 0;
  return { lines, isWrong };
}

function stateText({ state, ringOwner }: Lease): string {
  if (state === "leak") return "leak: no container has it";
  if (state === "unclaimed") return "no container has it yet";
  if (state === "elsewhere") {
    return ringOwner === null ? "of an unknown owner" : `belongs to node ${ringOwner} now`;
  }
  return "held";
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
