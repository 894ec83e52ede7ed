/**
 * What is under way between simulated hosts: lost, repeated, late, out of order, in part, and only within a group. For tests.
 * Pure: all chance comes from `random`.
 *
 * Knows keys of hosts and nothing of the hosts; who looks for them asks `sameGroup` when a packet is sent and when it arrives.
 */
import type { AddressPlan } from "./address-plan.ts";
import { decodeEntries, encodeEntries } from "./ring-codec.ts";
import type { IpamInput, IpamMessage, RingEntry } from "./step.ts";

export interface Packet {
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  readonly input: IpamInput;
}

export interface SimulatedMailOptions {
  readonly plan: AddressPlan;
  /** At least 0, less than 1. */
  readonly random: () => number;
  /** Chance, 0 to 1, that a packet is lost, and as much that it is repeated. */
  readonly loss: number;
}

export class SimulatedMail {
  readonly #options: SimulatedMailOptions;
  loss: number;
  #packets: Packet[] = [];
  #groupOf = new Map<number, number>();

  constructor(options: SimulatedMailOptions) {
    this.#options = options;
    this.loss = options.loss;
  }

  /** Splits the hosts; those in none of the groups are one more. */
  part(groups: readonly (readonly number[])[]): void {
    this.#groupOf = new Map(groups.flatMap((group, i) => group.map((key) => [key, i] as const)));
  }

  sameGroup(a: number, b: number): boolean {
    return this.#groupOf.get(a) === this.#groupOf.get(b);
  }

  send(from: number, to: number, input: IpamInput, nowMs: number): void {
    if (this.#chance(this.loss)) return;
    const copies = this.#chance(this.loss) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const longest = this.#chance(0.5) ? 20 : 400;
      const delay = this.loss > 0 ? Math.floor(this.#options.random() * longest) : 1;
      this.#packets.push({ atMs: nowMs + delay, from, to, input });
    }
  }

  /** Takes out what is due, in random order; what is sent meanwhile waits for its turn. */
  takeDue(nowMs: number): Packet[] {
    const due: Packet[] = [];
    const later: Packet[] = [];
    for (const packet of this.#packets) (packet.atMs <= nowMs ? due : later).push(packet);
    this.#packets = later;
    const order = due.map((packet) => ({ packet, key: this.#options.random() }));
    order.sort((a, b) => a.key - b.key);
    return order.map(({ packet }) => packet);
  }

  /** Nobody is there any more to take what is under way to it. */
  dropFor(to: number): void {
    this.#packets = this.#packets.filter((packet) => packet.to !== to);
  }

  /** Records as they arrive: through the codec, and with loss not all of them. */
  overTheWire(entries: readonly RingEntry[]): readonly RingEntry[] {
    const { plan } = this.#options;
    const decoded = decodeEntries(plan, encodeEntries(plan, entries));
    if (!decoded.ok) throw new Error(`entries do not survive the wire: ${decoded.reason}`);
    return decoded.entries.filter(() => !this.#chance(this.loss / 2));
  }

  /** A message as it arrives, with the records in it. */
  cutUp(message: IpamMessage): IpamMessage {
    if (message.type !== "granted") return message;
    return { ...message, entries: this.overTheWire(message.entries) };
  }

  #chance(probability: number): boolean {
    return this.#options.random() < probability;
  }
}
