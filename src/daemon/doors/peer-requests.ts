/**
 * Requests to the APIs of other nodes: finds them in the roster, keeps connections, and gives up what a node cannot answer any more.
 *
 * Invariant: a request to a node that gossip holds dead is not made, and those under way end when it comes to be held so, or when the link that they go by was
 * cut: TCP alone would wait a quarter of an hour for a host whose cable was pulled.
 */
import { type ClientRequest, type OutgoingHttpHeaders, request } from "node:http";
import type { Socket } from "node:net";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import { nodePath } from "../../api/node-path.ts";
import { Places } from "../../api/places.ts";
import type { Door } from "../../client/door.ts";
import { events } from "../../client/events.ts";
import type { RawResponse } from "../../client/parse-response.ts";
import { HansaError } from "../../errors.ts";
import type { LinkView } from "../../links/link-paths.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import { shortAge } from "../../values/short-age.ts";
import type { RememberedNode } from "../membership/membership-file.ts";
import { isHeard, type Roster, type RosterNode } from "../membership/roster.ts";
import { CallsUnderWay } from "./calls-under-way.ts";
import { PeerDoor } from "./peer-door.ts";

/** At one node at one time, of one certificate 410 (see Places); its own bound for one address is above that (api/serve-tls.ts). */
const MAX_AT_ONCE = 512;

/** Of what a node refused events with, in a message. */
const MAX_REFUSAL = 300;

/** A node of the cluster that is not this one. */
export interface OtherNode {
  readonly id: NodeId;
  readonly name: string;
  readonly isHeard: boolean;
  /** Since when, on the monotonic clock, it is as it is; undefined for one that was not met in this life of the daemon. */
  readonly sinceMs: number | undefined;
}

export interface PeerRequestsOptions {
  readonly self: NodeId;
  readonly roster: () => Roster;
  readonly remembered: () => readonly RememberedNode[];
  /** Where a node is reached inside of the overlay, and when it must be. */
  readonly inside: (id: NodeId) => string | undefined;
  /** The one of its addresses at which it answers now; undefined where it has only one. */
  readonly reachedAt: (id: NodeId) => string | undefined;
  readonly roundabout: (id: NodeId) => string | undefined;
  readonly links: (id: NodeId) => readonly Pick<LinkView, "theirs" | "state" | "inUse">[];
  readonly secureContext: () => Promise<SecureContextOptions>;
  readonly nowMs: () => number;
}

export interface Asking {
  readonly method: string;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  /** Whom it is counted for (see holderOf); default: this node. */
  readonly who?: string;
  /** The node came to be held dead while it was asked. */
  readonly failed: (reason: string) => void;
}

interface Known {
  readonly roster: Roster | undefined;
  readonly remembered: readonly RememberedNode[] | undefined;
  readonly list: readonly OtherNode[];
}

interface PeerConnections {
  readonly name: string;
  readonly kept: PeerDoor;
  readonly places: Places;
  readonly calls: CallsUnderWay;
}

export class PeerRequests {
  readonly #options: PeerRequestsOptions;
  readonly #doors = new Map<NodeId, PeerConnections>();
  #known: Known = { roster: undefined, remembered: undefined, list: [] };

  constructor(options: PeerRequestsOptions) {
    this.#options = options;
  }

  /** All nodes but this one: those in the roster, and those met in a former life. */
  nodes(): readonly OtherNode[] {
    const [roster, remembered] = [this.#options.roster(), this.#options.remembered()];
    // Looked at after every change of anything; the roster is another only when members changed.
    if (this.#known.roster !== roster || this.#known.remembered !== remembered) {
      const list = nodesOf(this.#options.self, roster, remembered);
      this.#known = { roster, remembered, list };
    }
    return this.#known.list;
  }

  /**
   * A request that the caller ends, and whose "error" it hears; NODE_UNREACHABLE when the node is not heard, API_FORWARDS_MANY when it is asked too
   * much at once already.
   */
  request(
    { id, name }: Pick<OtherNode, "id" | "name">,
    { method, path, headers, failed, who = "" }: Asking,
  ): ClientRequest | HansaError {
    const node = this.nodes().find((each) => each.id === id) ?? neverMet(id, name);
    if (!node.isHeard) return this.unreachable(node, "it is not heard");
    const door = this.#door(node);
    const leave = door.places.take(who);
    if (leave === undefined) {
      const { taken } = door.places;
      const text = `${taken} requests to node ${id} (${name}) are under way already, ${door.places.heldBy(who)} of them with the same certificate`;
      return new HansaError("API_FORWARDS_MANY", text);
    }
    // What changes something is sent once: a connection that is used again may have been closed just now.
    const isKept = method === "GET" && headers["upgrade"] === undefined;
    const agent = isKept ? door.kept : this.#newDoor(node, false);
    const made = request({ agent, host: "localhost", method, path, headers });
    const release = door.calls.add({
      ...{ failed, lasts: false, at: () => made.socket?.remoteAddress },
      cut: (error) => made.destroy(error),
    });
    let isUpgraded = false;
    // What left HTTP keeps its place until its connection closes.
    made.once("upgrade", (_, socket) => {
      isUpgraded = true;
      socket.once("close", leave);
    });
    made.on("close", () => {
      release();
      if (!isUpgraded) leave();
    });
    return made;
  }

  /**
   * The events at `path` of the node, until `signal` aborts; begun anew when another link to it is used. Ends with NODE_UNREACHABLE when the node does, or
   * with what it refused them with. `heard` is told of each sign of life.
   */
  async *events(
    node: OtherNode,
    path: string,
    signal: AbortSignal,
    heard: () => void,
  ): AsyncGenerator<unknown> {
    if (this.nodes().find(({ id }) => id === node.id)?.isHeard !== true) {
      throw this.unreachable(node, "it is not heard");
    }
    const moving = new AbortController();
    const ending = new AbortController();
    let opened: TLSSocket | undefined;
    const { kept, calls } = this.#door(node);
    const release = calls.add({
      ...{ lasts: true, at: () => opened?.remoteAddress, cut: () => moving.abort() },
      failed: (reason) => ending.abort(new Error(reason)),
    });
    const door: Door = {
      place: `node ${node.id} (${node.name})`,
      open: async () => {
        opened = await kept.open();
        return opened;
      },
      inOurWords: (error) => error,
    };
    const refused = ({ body }: RawResponse): HansaError =>
      this.unreachable(node, `it refused: ${body.slice(0, MAX_REFUSAL)}`);
    try {
      const either = AbortSignal.any([signal, ending.signal, moving.signal]);
      yield* events(door, nodePath(node.id, path), either, refused, { heard });
    } catch (error) {
      throw error instanceof HansaError ? error : this.unreachable(node, error);
    } finally {
      release();
    }
    if (signal.aborted) return;
    if (moving.signal.aborted && !ending.signal.aborted) {
      yield* this.events(node, path, signal, heard);
      return;
    }
    throw this.unreachable(node, ending.signal.aborted ? ending.signal.reason : "it ended");
  }

  /**
   * `failed` is told when the node comes to be held dead, until the function that is returned is called; with `lasting` also when that connection goes by
   * another link than the one that is used.
   */
  hold(
    node: OtherNode,
    failed: Asking["failed"],
    lasting?: Pick<Socket, "remoteAddress">,
  ): () => void {
    return this.#door(node).calls.add({
      ...{ failed, lasts: true, at: () => lasting?.remoteAddress },
      cut: ({ message }) => failed(message),
    });
  }

  /** Other links are used to these nodes: nothing is begun on the former ones, and what they do not carry any more ends. */
  moved(ids: readonly NodeId[]): void {
    for (const id of ids) {
      const door = this.#doors.get(id);
      door?.kept.closeIdle();
      door?.calls.moved(this.#options.links(id));
    }
  }

  /** The roster may be another: who waits for a node that is held dead now waits no more. */
  changed(): void {
    for (const [id, door] of this.#doors) {
      const peer = this.#peer(id);
      if (peer && isHeard(peer) && peer.metadata.name === door.name) continue;
      this.#doors.delete(id);
      door.calls.fail("it is not heard any more");
      door.kept.destroy();
    }
  }

  /** That the node cannot be asked, and what is known of it. */
  unreachable({ id, name }: Pick<OtherNode, "id" | "name">, reason: unknown): HansaError {
    const peer = this.#peer(id);
    const words = reason instanceof Error ? reason.message : `${reason}`;
    const state =
      peer === undefined
        ? "it was not met since this daemon started"
        : isHeard(peer)
          ? "gossip hears it"
          : `not heard for ${shortAge((this.#options.nowMs() - peer.member.sinceMs) / 1000)}`;
    const text = `node ${id} (${name}) cannot be asked: ${words}; ${state}`;
    return new HansaError("NODE_UNREACHABLE", text);
  }

  close(): void {
    for (const { kept } of this.#doors.values()) kept.destroy();
    this.#doors.clear();
  }

  #peer(id: NodeId): RosterNode | undefined {
    return this.#options.roster().peers.find(({ metadata }) => metadata.id === id);
  }

  #door(node: OtherNode): PeerConnections {
    const known = this.#doors.get(node.id);
    if (known && known.name === node.name) return known;
    const door = {
      ...{ name: node.name, kept: this.#newDoor(node, true), calls: new CallsUnderWay() },
      places: new Places(MAX_AT_ONCE),
    };
    this.#doors.set(node.id, door);
    return door;
  }

  #newDoor({ id, name }: OtherNode, keepAlive: boolean): PeerDoor {
    const { secureContext } = this.#options;
    return new PeerDoor({ name, secureContext, places: () => this.#places(id) }, keepAlive);
  }

  /** Where gossip has it, and its address inside of the overlay, which may be reached where the other is not. */
  #places(id: NodeId): Endpoint[] {
    const { inside, reachedAt, roundabout } = this.#options;
    const peer = this.#peer(id);
    if (!peer) return [];
    const ips = [roundabout(id), reachedAt(id), peer.member.endpoint.ip, inside(id)];
    const { api: port } = peer.metadata.ports;
    return [...new Set(ips)].flatMap((ip) => (ip === undefined ? [] : [{ ip, port }]));
  }
}

function nodesOf(
  self: NodeId,
  { peers }: Roster,
  remembered: readonly RememberedNode[],
): OtherNode[] {
  const ids = new Set([self, ...peers.map(({ metadata }) => metadata.id)]);
  const former = remembered.filter(({ id }) => !ids.has(id));
  return [...peers.map(otherNode), ...former.map(({ id, name }) => neverMet(id, name))];
}

function otherNode(node: RosterNode): OtherNode {
  const { id, name } = node.metadata;
  return { id, name, isHeard: isHeard(node), sinceMs: node.member.sinceMs };
}

function neverMet(id: NodeId, name: string): OtherNode {
  return { id, name, isHeard: false, sinceMs: undefined };
}
