/** How a cluster comes to its first store. */
import { randomBytes } from "node:crypto";
import { HansaError } from "../../errors.ts";
import { firstCommit } from "../../store/node-registry.ts";
import type { NamedStore } from "../../store/store-copy.ts";
import { FIRST_VOTERS } from "../../store/voter-plan.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { untilLed } from "../votes/until-led.ts";
import type { VoterPlace } from "../votes/voter-place.ts";

export interface FirstStoreOptions {
  readonly self: { readonly id: NodeId; readonly name: string };
  readonly place: Pick<VoterPlace, "record" | "peerUrl" | "begin" | "link" | "end">;
  readonly membership: Pick<MembershipLoop, "roster">;
  /** The store of this node's own copy. */
  readonly lastSeen: () => NamedStore | undefined;
}

/** Makes it with this node's vote alone, with what each store begins with in it. Throws STORE_EXISTS, STORE_REFUSED, and as `VoterPlace.begin`: then nothing of it is left. */
export async function makeFirstStore(
  name: string,
  options: FirstStoreOptions,
): Promise<NamedStore> {
  const { self, place, membership } = options;
  refuseSecond(options);
  if (!FIRST_VOTERS.includes(self.id)) {
    const text = `node ${self.id} (${self.name}) has no vote: make the store on node ${FIRST_VOTERS.join(", ")}`;
    throw new HansaError("STORE_REFUSED", text);
  }
  const store = { id: randomBytes(8).toString("hex"), name, generation: 1 };
  const member = membership.roster().self.member.name;
  const members = [{ name: member, peerUrl: place.peerUrl }];
  await place.begin({ version: 1, store }, { begins: "new", members });
  try {
    const link = await place.link();
    if (link === undefined) throw new HansaError("STORE_UNREACHABLE", "its etcd was ended");
    await untilLed(link.store);
    await link.store.commit(firstCommit(name, { ...self, member }));
  } catch (error) {
    await place.end();
    throw error;
  }
  return store;
}

/** Throws STORE_EXISTS. */
function refuseSecond({ place, membership, lastSeen }: FirstStoreOptions): void {
  const { record } = place;
  if (record) {
    throw new HansaError("STORE_EXISTS", `the store ${record.store.name} exists already`);
  }
  const holder = membership.roster().peers.find(({ metadata }) => metadata.store !== undefined);
  if (holder) {
    const { id, name } = holder.metadata;
    throw new HansaError("STORE_EXISTS", `node ${id} (${name}) has a vote in a store already`);
  }
  const seen = lastSeen();
  if (seen) {
    const text = `this cluster has the store ${seen.name} (${seen.id}), of which this node has a copy and hears no vote`;
    throw new HansaError("STORE_EXISTS", text, {
      hint: "bring its votes back; where they are gone for good: hansa expected 1",
    });
  }
}
