/**
 * Counts how often a running member that nothing cuts off is held dead: each incarnation of it once, and only when a healthy member
 * believes it. What an impaired one (starved, deaf) thinks by itself is its own affair until it convinces others.
 */
import type { SimulatedNetwork } from "./network.ts";

export class FalseDeaths {
  /** Members whose own word does not count, and whose deaths are counted apart. */
  readonly impaired = new Set<string>();
  /** `name/incarnation` of healthy and of impaired members. */
  readonly ofHealthy = new Set<string>();
  readonly ofImpaired = new Set<string>();

  /** Counts from now on; ask before anybody is cut off on purpose. */
  constructor(network: SimulatedNetwork) {
    network.observers.push({
      event: (member, { kind, member: { name, incarnation } }) => {
        if (kind !== "dead" || this.impaired.has(member.name)) return;
        const victim = network.members.get(name);
        if (!victim?.isUp || incarnation <= victim.diedAtIncarnation) return;
        const victims = this.impaired.has(name) ? this.ofImpaired : this.ofHealthy;
        victims.add(`${name}/${incarnation}`);
      },
    });
  }
}
