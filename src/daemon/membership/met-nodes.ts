/**
 * The nodes that were met, those of them that are gone for good, and our incarnation: what membership.json keeps.
 *
 * A node that is not heard keeps its tunnel and routes, also over a restart of the daemon, so it is remembered until it leaves or is taken
 * over; from then on only that is remembered.
 */
import type { Logger } from "../../host/logger.ts";
import { type Departure, Departures } from "../../membership/departures.ts";
import type { KnownPeer } from "../../membership/dialer-state.ts";
import { formatMemberName } from "../../membership/member-name.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { LinkLoop } from "./link-loop.ts";
import { type MembershipFile, type RememberedNode, saveMembershipFile } from "./membership-file.ts";
import type { Roster, RosterNode } from "./roster.ts";

/** How exactly it is written down when a known peer was last alive. */
const ALIVE_WITHIN_MS = 3_600_000;

export class MetNodes {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #departures: Departures;
  #nodes: readonly RememberedNode[];
  #incarnation: number;
  #saved = "";
  #problem: string | undefined;

  constructor(path: string, logger: Logger, file: MembershipFile) {
    this.#path = path;
    this.#logger = logger;
    this.#departures = new Departures(file.departed);
    this.#nodes = file.nodes;
    this.#incarnation = file.incarnation;
  }

  get nodes(): readonly RememberedNode[] {
    return this.#nodes;
  }

  /** The link on which that node was reached last. */
  linkTo(id: NodeId): number | undefined {
    return this.#nodes.find((node) => node.id === id)?.link;
  }

  get departures(): Pick<Departures, "get" | "list"> {
    return this.#departures;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** Why what is known cannot be written down, while it cannot. */
  get problem(): string | undefined {
    return this.#problem;
  }

  setIncarnation(incarnation: number): void {
    this.#incarnation = incarnation;
  }

  /** Takes in who is there now. */
  take({ peers }: Roster, links: Pick<LinkLoop, "used" | "addressOf">): void {
    const met = peers.map((peer) => rememberedNode(peer, links));
    const others = this.#nodes.filter(({ id }) => !met.some((node) => node.id === id));
    this.#nodes = [...met, ...others].sort((a, b) => a.id - b.id);
  }

  /** Takes in who is gone for good; those that were news. */
  depart(departures: readonly Departure[]): Departure[] {
    const news = this.#departures.add(departures);
    this.#nodes = this.#nodes.filter((node) => !this.#departures.get(formatMemberName(node)));
    return news;
  }

  /** Writes down what changed; on disk when it returns, or `problem` says why not. */
  save(peers: readonly KnownPeer[]): void {
    // A known peer is written down when it is met and once an hour, not each time it is heard.
    const seen = peers.map(({ name, endpoint, lastAliveMs }) => [
      name,
      endpoint,
      Math.floor(lastAliveMs / ALIVE_WITHIN_MS),
    ]);
    const departed = this.#departures.list();
    const text = JSON.stringify([this.#incarnation, seen, this.#nodes, departed]);
    if (text === this.#saved) return;
    const incarnation = this.#incarnation;
    const nodes = this.#nodes;
    try {
      saveMembershipFile(this.#path, { version: 1, incarnation, peers, nodes, departed });
      this.#saved = text;
      this.#problem = undefined;
    } catch (error) {
      // A full disk must not end the daemon: others raise our incarnation by refutation, and housekeeping writes again.
      this.#problem = `STATE_UNWRITABLE: ${this.#path} cannot be written, so nodes met now are forgotten by a restart`;
      this.#logger.error("membership cannot be written", { error: `${error}` });
    }
  }
}

function rememberedNode(
  { member, metadata }: RosterNode,
  links: Pick<LinkLoop, "used" | "addressOf">,
): RememberedNode {
  const { id, name, keyFingerprint, wireguardKey, ports } = metadata;
  const used = links.used(id);
  const linkAddress = links.addressOf(id);
  return {
    id,
    name,
    keyFingerprint,
    wireguardKey: Buffer.from(wireguardKey).toString("base64"),
    endpoint: { ip: member.endpoint.ip, port: ports.overlay },
    ...(used && { link: used.number }),
    ...(linkAddress !== undefined && { linkAddress }),
  };
}
