/**
 * Address records as nodes pass them on: encoded, cut into packets, and marked with the kind of cluster they are records of.
 *
 * Those of an encrypted cluster go as the codec makes them, those of an unencrypted one with the highest bit of their first byte set, which
 * encrypted nodes refuse as another format. Both kinds may share token and subnet by mistake, and what gossip carries does not say from whom it
 * came; so the records say it themselves.
 */
import type { AddressPlan } from "../../ipam/address-plan.ts";
import { type DecodedEntries, decodeEntries, encodeEntries } from "../../ipam/ring-codec.ts";
import type { RingEntry } from "../../ipam/step.ts";
import type { Encryption } from "../../processes/node-file.ts";

const UNENCRYPTED = 0x80;
/** Records in one gossiped message, so that it fits a packet. */
const RECORDS_IN_A_MESSAGE = 60;

export class RingRecords {
  readonly #plan: AddressPlan;
  readonly #encryption: Encryption;

  constructor(plan: AddressPlan, encryption: Encryption) {
    this.#plan = plan;
    this.#encryption = encryption;
  }

  encode(entries: readonly RingEntry[]): Uint8Array {
    return this.#marked(encodeEntries(this.#plan, entries));
  }

  /** What another kind of cluster marked comes out as another format. */
  decode(bytes: Uint8Array): DecodedEntries {
    return decodeEntries(this.#plan, this.#marked(bytes));
  }

  /** The entries as gossip messages; a later one with the same key takes the place of an earlier. */
  *messages(entries: readonly RingEntry[]): Generator<{ key: string; bytes: Uint8Array }> {
    for (let at = 0; at < entries.length; at += RECORDS_IN_A_MESSAGE) {
      const part = entries.slice(at, at + RECORDS_IN_A_MESSAGE);
      const key = `ring:${part.map(({ start }) => start).join()}`;
      yield { key, bytes: this.encode(part) };
    }
  }

  /** Sets the mark, or takes it away. */
  #marked(bytes: Uint8Array): Uint8Array {
    if (this.#encryption === "wireguard") return bytes;
    const copy = Uint8Array.from(bytes);
    const [first] = copy;
    if (first !== undefined) copy[0] = first ^ UNENCRYPTED;
    return copy;
  }
}
