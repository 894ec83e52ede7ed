/** What the node itself warns of, leases without containers, and owners out of reach. */
import { finding, findingOfWarning } from "../finding.ts";
import { nodeCheck } from "./check.ts";

/** A container that starts has its lease before Docker shows it. */
const STARTING_MS = 10_000;

export const warnings = nodeCheck("the node's own warnings", ({ warnings }) =>
  warnings.map(findingOfWarning),
);

export const leases = nodeCheck("leases are held by containers", ({ unheldLeases }) =>
  unheldLeases
    .filter(({ ageMs }) => ageMs > STARTING_MS)
    .map(({ address, ageMs }) => {
      const age = Math.round(ageMs / 1000);
      const evidence = `${address} is leased for ${age} s, and no container has it`;
      return finding("DOCTOR_LEASE_LEAKED", evidence);
    }),
);

export const owners = nodeCheck("owners of addresses are in reach", ({ owners }) =>
  owners
    // A seed node that nobody ever met owns its part from birth, and misses nobody.
    .filter(({ reachable, name, addresses }) => !reachable && name !== null && addresses > 0)
    .map(({ id, name, addresses, percent }) => {
      const evidence = `node ${id} (${name}) owns ${addresses} dynamic addresses (${percent.toFixed(1)} %) and is out of reach`;
      const mend = `bring the node back; if it is gone for good, on one node: hansa ipam take-over ${id}`;
      return finding("DOCTOR_OWNER_UNREACHABLE", evidence, { mend });
    }),
);
