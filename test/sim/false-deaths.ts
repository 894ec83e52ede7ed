/** Counts how often a running member that nothing cuts off is held dead: once for each time that the first other one does so. */
import type { SimulatedNetwork } from "./network.ts";

export class FalseDeaths {
  /** Names, one for each false death, in order of time. */
  readonly victims: string[] = [];
  /** Who said so first, for each victim. */
  readonly accusers: string[] = [];

  /** Counts from now on; a member that is cut off on purpose is not to be counted, so ask before the first split. */
  constructor(network: SimulatedNetwork) {
    network.observers.push({
      event: (member, { kind, member: subject }) => {
        if (kind !== "dead" || !network.members.get(subject.name)?.isUp) return;
        if (network.beliefs.holding(subject.name, ["dead"]) !== 1) return;
        this.victims.push(subject.name);
        this.accusers.push(member.name);
      },
    });
  }

  get count(): number {
    return this.victims.length;
  }
}
