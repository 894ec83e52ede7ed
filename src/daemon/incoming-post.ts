/**
 * What other nodes say to this one: which part hears it, and who is believed.
 *
 * Invariants: messages about addresses are taken of nodes of this cluster only, never of one that is gone for good or of a twin that lost its id; address
 * records of another subnet or encryption are not taken.
 */
import type { Logger } from "../host/logger.ts";
import type { AddressPlan } from "../ipam/address-plan.ts";
import { decodeIpamMessage } from "../ipam/message-codec.ts";
import type { RingEntry } from "../ipam/step.ts";
import { formatMemberName } from "../membership/member-name.ts";
import type { Endpoint } from "../values/endpoint.ts";
import type { AddressLoop } from "./addresses/address-loop.ts";
import type { RingRecords } from "./addresses/ring-records.ts";
import type { StrayLoop } from "./addresses/stray-loop.ts";
import type { DataPath } from "./data-path/data-path.ts";
import type { Envelope } from "./membership/envelope.ts";
import type { MembershipLoop } from "./membership/membership-loop.ts";
import type { NodeDoctor } from "./status/node-doctor.ts";

export interface IncomingPostOptions {
  readonly plan: AddressPlan;
  readonly records: RingRecords;
  readonly logger: Logger;
  readonly membership: () => Pick<MembershipLoop, "roster" | "hasDeparted">;
  readonly addresses: () => Pick<AddressLoop, "input">;
  readonly strays: () => Pick<StrayLoop, "receive">;
  readonly doctor: () => Pick<NodeDoctor, "receive">;
  readonly dataPath: () => Pick<DataPath, "receive">;
  /** Told of address records that were taken. */
  readonly heard: (entries: readonly RingEntry[]) => void;
}

export class IncomingPost {
  readonly #options: IncomingPostOptions;

  constructor(options: IncomingPostOptions) {
    this.#options = options;
  }

  /** The rings of another node, as a push/pull or gossip brings them. */
  takeRings(bytes: Uint8Array): void {
    const { records, addresses, heard, logger } = this.#options;
    const decoded = records.decode(bytes);
    if (decoded.ok) {
      addresses().input({ type: "entries", entries: decoded.entries });
      heard(decoded.entries);
    } else {
      const { reason } = decoded;
      logger.warn("address records of another kind were not taken", { reason });
    }
  }

  receive(envelope: Envelope, from: Endpoint, via: "packet" | "stream"): void {
    const { strays, doctor, dataPath } = this.#options;
    if (envelope.kind === "stray") strays().receive(envelope.body);
    else if (envelope.kind === "ipam") this.#takeAboutAddresses(envelope);
    else if (envelope.kind === "doctor") doctor().receive(envelope, from, via);
    else dataPath().receive(envelope, from.ip);
  }

  #takeAboutAddresses({ sender: id, fingerprint, body }: Envelope): void {
    const { membership, plan, addresses } = this.#options;
    const { peers, foreign } = membership().roster();
    const name = formatMemberName({ id, keyFingerprint: fingerprint });
    if (foreign.some((member) => member.name === name)) return;
    if (membership().hasDeparted(name)) return;
    const sender = peers.find(({ metadata }) => metadata.id === id);
    // A twin that lost its id speaks for nobody.
    if (sender && sender.metadata.keyFingerprint !== fingerprint) return;
    const message = decodeIpamMessage(plan, body);
    if (message) addresses().input({ type: "message", from: id, message });
  }
}
