/**
 * Takes hosts into the cluster: whoever asks with an administrator's certificate gets a place, and the cluster's roots sealed for it.
 *
 * Invariants: a place that was promised is nobody else's until the one it was promised to is there, or the promise has grown old; the roots
 * leave this process only under a key that the asker made for this once.
 */
import { randomBytes } from "node:crypto";
import type { Joined, JoinRequest } from "../api/join-schemas.ts";
import { HansaError } from "../errors.ts";
import type { Clock } from "../host/clock.ts";
import type { Identity, IdentityKeys } from "../identity/identity.ts";
import { fingerprint } from "../identity/node-key.ts";
import {
  createOneTimeKey,
  isNodeKeyProven,
  SEAL_NONCE_BYTES,
  sealRoots,
} from "../identity/sealed-roots.ts";
import type { NodeFile } from "../processes/node-file.ts";
import { formatEndpoint } from "../values/endpoint.ts";
import type { NodeId } from "../values/node-id.ts";
import { type Placed, placeOf } from "./join-plan.ts";
import type { MembershipLoop } from "./membership-loop.ts";
import { isHeard } from "./roster.ts";

export interface JoinDeskOptions {
  readonly node: NodeFile;
  readonly identity: Identity;
  readonly keys: Pick<IdentityKeys, "fingerprint">;
  readonly membership: Pick<MembershipLoop, "roster" | "remembered" | "departures" | "endpoint">;
  /** Who owns addresses and used them. */
  readonly owners: () => readonly { readonly id: NodeId }[];
  readonly maxId: NodeId;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** A launch takes seconds; who needs longer asks again. */
const PROMISE_MS = 120_000;
/** Told to the joiner, which learns of the others from them. */
const MAX_TARGETS = 8;

interface Promised extends Placed {
  readonly untilMs: number;
}

export class JoinDesk {
  readonly #options: JoinDeskOptions;
  #promises: readonly Promised[] = [];

  constructor(options: JoinDeskOptions) {
    this.#options = options;
  }

  /** Gives the asker its place. Throws USAGE, NODE_DEPARTED, NODE_NAME_TAKEN, NODE_TWIN and IPAM_ID_OUTSIDE_SUBNET. */
  async admit(request: JoinRequest): Promise<Joined> {
    const { name, nodeKey, oneTimeKey, proof } = request;
    if (!isNodeKeyProven(nodeKey, oneTimeKey, name, proof)) {
      throw new HansaError("USAGE", "the request to join is not signed with the node key it names");
    }
    const { identity, node } = this.#options;
    this.#requireMembership();
    const { id, name: given } = this.#promise({ name, fingerprint: fingerprint(nodeKey) });
    const { roots, token } = identity;
    const secrets = { roots, ...(token !== undefined && { token }) };
    const joiner = { nodeKey, oneTimeKey, id };
    const nonce = randomBytes(SEAL_NONCE_BYTES);
    const { cluster, subnet, encryption, ports } = node;
    return {
      ...{ id, name: given, cluster, subnet, encryption, gossipPort: ports.gossip },
      targets: this.#targets(),
      sealed: sealRoots(secrets, joiner, createOneTimeKey(), nonce),
    };
  }

  /** A node that is out of the cluster itself lets nobody in. */
  #requireMembership(): void {
    const { usurper, expelled } = this.#options.membership.roster();
    const { id } = this.#options.node;
    if (expelled) {
      throw new HansaError("NODE_DEPARTED", `node ${id} was taken out of the cluster itself`);
    }
    if (usurper) {
      throw new HansaError("NODE_TWIN", `another host has the id ${id} of the node that was asked`);
    }
  }

  #promise(wish: { readonly name: string; readonly fingerprint: string }): Placed {
    const { membership, owners, maxId, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#promises = this.#promises.filter(({ untilMs }) => untilMs > nowMs);
    const place = placeOf(wish, {
      placed: [...this.#known(), ...this.#promises],
      owners: owners().map(({ id }) => id),
      departed: new Set(membership.departures.map(({ keyFingerprint }) => keyFingerprint)),
      maxId,
    });
    if (!place.ok) throw new HansaError(place.code, place.text);
    const { id, name } = place;
    const { fingerprint: key } = wish;
    const others = this.#promises.filter((each) => each.fingerprint !== key);
    this.#promises = [...others, { id, name, fingerprint: key, untilMs: nowMs + PROMISE_MS }];
    return { id, name, fingerprint: key };
  }

  /** Everybody who has a place, as far as this node knows. */
  #known(): Placed[] {
    const { node, keys, membership } = this.#options;
    const { peers, twins, departed } = membership.roster();
    const members = [...peers, ...twins, ...departed].map(({ metadata }) => metadata);
    return [
      { id: node.id, name: node.name, fingerprint: keys.fingerprint },
      ...[...members, ...membership.remembered].map(({ id, name, keyFingerprint }) => ({
        ...{ id, name, fingerprint: keyFingerprint },
      })),
    ];
  }

  #targets(): string[] {
    const { membership } = this.#options;
    const others = membership.roster().peers.filter(isHeard);
    const endpoints = [membership.endpoint, ...others.map(({ member }) => member.endpoint)];
    return endpoints.slice(0, MAX_TARGETS).map(formatEndpoint);
  }
}
