/**
 * The take-over of a node that is gone for good: its addresses become ours, and its key is let in no more.
 *
 * Invariants: refused while we or any node in reach hears it, asked at this very moment; on disk before anybody is told; the rings are
 * told before, or together with, the departure, so that a successor of the same id never takes the space for its own.
 */
import type { TakenOver } from "../../api/address-schemas.ts";
import { HansaError } from "../../errors.ts";
import type { ConnectionRow } from "../../membership/connection-rows.ts";
import { formatMemberName } from "../../membership/member-name.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { RememberedNode } from "../membership/membership-file.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard, type Roster, type RosterNode } from "../membership/roster.ts";
import type { AddressLoop } from "./address-loop.ts";

export type NamedNode = Pick<RememberedNode, "id" | "name" | "keyFingerprint">;

export interface TakeOverParts {
  readonly self: NodeId;
  readonly addresses: Pick<AddressLoop, "view" | "input" | "carriedOut">;
  readonly membership: Pick<
    MembershipLoop,
    "roster" | "remembered" | "knowledge" | "exchange" | "takeOver"
  >;
  /** Of the store's registry, by this node's copy of it: it outlives what nodes remember. */
  readonly registered: () => readonly NamedNode[];
}

/** Who is meant, with every key under that id that is not heard. */
export interface Vanished {
  readonly id: NodeId;
  /** Undefined when it was never met. */
  readonly name: string | undefined;
  /** 8 hex digits each. */
  readonly keys: readonly string[];
}

/**
 * Throws NODE_NOT_FOUND; USAGE when `wanted` is this node or more than one; TAKE_OVER_REFUSED while it is heard;
 * TAKE_OVER_UNCONFIRMED; NODE_TWIN and NODE_DEPARTED when this node itself may own nothing.
 */
export async function takeOver(
  parts: TakeOverParts,
  wanted: string,
  isConfirmed: boolean,
): Promise<TakenOver> {
  const { addresses, membership } = parts;
  refuseFenced(membership.roster());
  const vanished = findVanished(wanted, parts.self, {
    roster: membership.roster(),
    remembered: [...membership.remembered, ...parts.registered()],
    owners: addresses.view().entries.map(({ id }) => id),
  });
  refuseHeard(vanished, membership.roster(), membership.knowledge.rows);
  const silent = await membership.exchange(heardOf(membership.roster()));
  // What they said may be news.
  refuseHeard(vanished, membership.roster(), membership.knowledge.rows);
  refuseSilent(vanished, silent, membership.roster());
  const { addresses: count = 0, fixedAddresses = 0 } =
    addresses.view().entries.find(({ id }) => id === vanished.id) ?? {};
  if (!isConfirmed) throw unconfirmed(vanished, count, membership.roster());
  addresses.input({ type: "take-over", from: vanished.id });
  await addresses.carriedOut();
  for (const keyFingerprint of vanished.keys) {
    membership.takeOver({ id: vanished.id, keyFingerprint });
  }
  await membership.exchange(heardOf(membership.roster()));
  return { id: vanished.id, name: vanished.name ?? null, addresses: count, fixedAddresses };
}

export interface KnownNodes {
  readonly roster: Roster;
  readonly remembered: readonly NamedNode[];
  /** Who owns addresses, also when it was never met. */
  readonly owners: readonly NodeId[];
}

/** The node of that id or name. Pure. Throws NODE_NOT_FOUND, or USAGE when it is this node or not one. */
export function findVanished(wanted: string, self: NodeId, known: KnownNodes): Vanished {
  const { roster, remembered, owners } = known;
  const met = [...roster.peers, ...roster.twins].map((node) => ({
    id: node.metadata.id,
    name: node.metadata.name,
    keyFingerprint: node.metadata.keyFingerprint,
    heard: isHeard(node),
  }));
  const all = [...met, ...remembered.map((node) => ({ ...node, heard: false }))].filter(
    ({ id }) => id !== self,
  );
  const isOurs = wanted === `${self}` || wanted === roster.self.metadata.name;
  const ids = new Set(
    all.flatMap(({ id, name }) => (wanted === `${id}` || wanted === name ? [id] : [])),
  );
  for (const id of owners) if (wanted === `${id}` && id !== self) ids.add(id);
  const [id, ...more] = ids;
  if (more.length > 0) {
    throw new HansaError("USAGE", `the nodes ${[...ids].join(", ")} are all called ${wanted}`, {
      hint: "name the node by its id",
    });
  }
  if (id === undefined && isOurs) {
    throw new HansaError("USAGE", `${wanted} is this node, which has its addresses already`, {
      hint: "run the command on another node of the cluster",
    });
  }
  if (id === undefined) throw new HansaError("NODE_NOT_FOUND", `no node ${wanted} was ever met`);
  const ofId = all.filter((node) => node.id === id);
  const heard = new Set(ofId.flatMap((node) => (node.heard ? [node.keyFingerprint] : [])));
  const keys = new Set(ofId.map(({ keyFingerprint }) => keyFingerprint));
  return { id, name: ofId[0]?.name, keys: [...keys].filter((key) => !heard.has(key)) };
}

/** Throws TAKE_OVER_REFUSED while the node that has the id lives, or a row of a node in reach says that it hears one of its keys. Pure. */
export function refuseHeard(
  { id, keys }: Vanished,
  roster: Roster,
  rows: ReadonlyMap<string, ConnectionRow>,
): void {
  const peer = roster.peers.find(({ metadata }) => metadata.id === id);
  if (peer && isHeard(peer)) {
    const how = peer.member.state === "suspect" ? "was heard a moment ago" : "is heard";
    throw refused(`node ${id} (${peer.metadata.name}) ${how} by this node`);
  }
  for (const hearer of heardOf(roster)) {
    const row = rows.get(hearer.member.name);
    const hears = row?.connections.some(
      ({ peer: other, keyFingerprint }) => other === id && keys.includes(keyFingerprint),
    );
    if (hears) throw refused(`node ${id} is heard by ${hearer.metadata.name}`);
  }
}

function refuseSilent({ id }: Vanished, silent: readonly RosterNode[], roster: Roster): void {
  const still = silent.filter((each) =>
    heardOf(roster).some(({ member }) => member === each.member),
  );
  const names = still.map(({ metadata }) => metadata.name);
  if (names.length === 0) return;
  throw refused(`${names.join(", ")} did not say whether node ${id} is heard there`);
}

function refused(text: string): HansaError {
  return new HansaError("TAKE_OVER_REFUSED", text);
}

/** The named risk. */
function unconfirmed({ id, name }: Vanished, count: number, roster: Roster): HansaError {
  const asked = heardOf(roster).map(({ metadata }) => metadata.name);
  const unasked = roster.peers
    .filter((peer) => !isHeard(peer) && peer.metadata.id !== id)
    .map(({ metadata }) => metadata.name);
  const whom = [roster.self.metadata.name, ...asked].join(", ");
  const others = unasked.length === 0 ? "" : ` (out of reach and not asked: ${unasked.join(", ")})`;
  return new HansaError(
    "TAKE_OVER_UNCONFIRMED",
    `node ${id}${name === undefined ? "" : ` (${name})`} is not heard by ${whom}${others}; ` +
      `if it still runs anywhere, its ${count} addresses will be given out twice`,
  );
}

function refuseFenced({ usurper, expelled, self }: Roster): void {
  if (usurper) throw new HansaError("NODE_TWIN", `another node has the id ${self.metadata.id}`);
  if (expelled) {
    const name = formatMemberName(expelled);
    throw new HansaError("NODE_DEPARTED", `this node, ${name}, is gone for good itself`);
  }
}

function heardOf(roster: Roster): RosterNode[] {
  return roster.peers.filter(isHeard);
}
