/**
 * Takes hosts into the cluster: whoever asks with an administrator's certificate gets a place, and the cluster's roots sealed for it.
 *
 * Invariants: a place that was promised is nobody else's until the one it was promised to is there, or the promise has grown old; one node
 * chooses places for all that hear it, the one with the lowest id, so that joins at the same time through several nodes get different ones; the
 * roots leave this process only under a key that the asker made for this once. Nodes that do not hear each other choose each for themselves:
 * of two that get one id so, the rule for twins lets one in.
 */
import { randomBytes } from "node:crypto";
import { MAX_PROMISED } from "../../api/join-limits.ts";
import type { Joined, JoinRequest, PlaceGiven, PlaceRequest } from "../../api/join-schemas.ts";
import { isPlaceGiven } from "../../client/answer-check.ts";
import { type ErrorCode, HansaError, isHansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { Identity, IdentityKeys } from "../../identity/identity.ts";
import { fingerprint } from "../../identity/node-key.ts";
import {
  createOneTimeKey,
  isNodeKeyProven,
  SEAL_NONCE_BYTES,
  sealRoots,
} from "../../identity/sealed-roots.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import { formatEndpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import { askPeer } from "../doors/ask-peer.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard } from "../membership/roster.ts";
import { type Placed, placeOf, type Wish } from "./join-plan.ts";

export interface JoinDeskOptions {
  readonly node: NodeFile;
  readonly identity: Identity;
  readonly keys: Pick<IdentityKeys, "fingerprint">;
  readonly membership: Pick<MembershipLoop, "roster" | "remembered" | "departures" | "endpoint">;
  readonly peers: Pick<PeerRequests, "nodes" | "request" | "unreachable">;
  /** Who owns addresses and used them. */
  readonly owners: () => readonly { readonly id: NodeId }[];
  readonly maxId: NodeId;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Pick<Logger, "info">;
}

/** A launch takes seconds; who needs longer asks again. */
const PROMISE_MS = 60_000;
/** Told to the joiner, which learns of the others from them. */
const MAX_TARGETS = 8;
const CHOOSE_MS = 5_000;
/** What a node that chooses says for all: another one would say the same. */
const FINAL: readonly ErrorCode[] = [
  "NODE_NAME_TAKEN",
  "NODE_ID_TAKEN",
  "NODE_DEPARTED",
  "IPAM_ID_OUTSIDE_SUBNET",
  "JOINS_MANY",
];

interface Promised extends Placed {
  readonly untilMs: number;
}

export class JoinDesk {
  readonly #options: JoinDeskOptions;
  #promises: readonly Promised[] = [];

  constructor(options: JoinDeskOptions) {
    this.#options = options;
  }

  /** Gives the asker its place. Throws USAGE, and as `choosePlace`. */
  async admit(request: JoinRequest): Promise<Joined> {
    const { name, nodeKey, oneTimeKey, proof, id: wished } = request;
    if (!isNodeKeyProven(nodeKey, oneTimeKey, name, proof)) {
      throw new HansaError("USAGE", "the request to join is not signed with the node key it names");
    }
    this.#requireMembership();
    const { identity, node, logger } = this.#options;
    const key = fingerprint(nodeKey);
    const { id, name: given } = await this.#place({
      ...{ name, fingerprint: key },
      ...(wished !== undefined && { id: wished }),
    });
    // The audit log says who asked for it; this, who was let in.
    logger.info("a host was let in", { id, name: given, key });
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

  /**
   * Chooses for another node, by what this one knows and what the asking one promised. Throws NODE_DEPARTED, NODE_NAME_TAKEN, NODE_ID_TAKEN, NODE_TWIN, JOINS_MANY and
   * IPAM_ID_OUTSIDE_SUBNET.
   */
  choosePlace({ promised, ...wish }: PlaceRequest): PlaceGiven {
    this.#requireMembership();
    const { id, name } = this.#choose(wish, promised);
    return { id, name };
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

  /** Asks the lowest node that answers, and chooses itself when that is this one. */
  async #place(wish: Wish): Promise<Placed> {
    const { node, peers } = this.#options;
    const lower = peers
      .nodes()
      .filter(({ id, isHeard: hears }) => hears && id < node.id)
      .sort((a, b) => a.id - b.id);
    const promised = this.#promised();
    for (const other of lower) {
      const question = { method: "POST", path: "/v1/join/place", timeoutMs: CHOOSE_MS } as const;
      try {
        const answer = await askPeer(peers, other, { ...question, body: { ...wish, promised } });
        if (isPlaceGiven(answer)) return this.#keep({ ...answer, fingerprint: wish.fingerprint });
      } catch (error) {
        // One that cannot say leaves it to the next one.
        if (!isHansaError(error) || FINAL.includes(error.code)) throw error;
      }
    }
    return this.#choose(wish, []);
  }

  #choose(wish: Wish, elsewhere: readonly Placed[]): Placed {
    const { owners, maxId } = this.#options;
    const place = placeOf(wish, {
      placed: [...this.#known(), ...this.#promised(), ...elsewhere],
      owners: owners().map(({ id }) => id),
      departed: this.#departed(),
      maxId,
    });
    if (!place.ok) throw new HansaError(place.code, place.text);
    return this.#keep({ id: place.id, name: place.name, fingerprint: wish.fingerprint });
  }

  /** Throws JOINS_MANY. */
  #keep(placed: Placed): Placed {
    const untilMs = this.#options.clock.monotonicMs() + PROMISE_MS;
    const others = this.#standing().filter(({ fingerprint: key }) => key !== placed.fingerprint);
    if (others.length >= MAX_PROMISED) {
      throw new HansaError("JOINS_MANY", `${MAX_PROMISED} hosts are about to join already`);
    }
    this.#promises = [...others, { ...placed, untilMs }];
    return placed;
  }

  #promised(): Required<Placed>[] {
    const nowMs = this.#options.clock.monotonicMs();
    return this.#standing().map(({ untilMs, ...placed }) => ({
      ...placed,
      forSeconds: Math.ceil((untilMs - nowMs) / 1000),
    }));
  }

  /** Who came has its place as a member, or had it and left: nothing is promised to it any more. */
  #standing(): readonly Promised[] {
    const nowMs = this.#options.clock.monotonicMs();
    const came = new Set([...this.#known().map((each) => each.fingerprint), ...this.#departed()]);
    this.#promises = this.#promises.filter(
      (each) => each.untilMs > nowMs && !came.has(each.fingerprint),
    );
    return this.#promises;
  }

  /** Marks of the keys that are gone for good. */
  #departed(): ReadonlySet<string> {
    const { departures } = this.#options.membership;
    return new Set(departures.map(({ keyFingerprint }) => keyFingerprint));
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
