/** Takes requests for votes: finds the node, asks the rules, and writes down who is to have one. Whoever leads the store carries it out. */
import type { GiveVote, StoreView } from "../../api/store-schemas.ts";
import { HansaError } from "../../errors.ts";
import { CONFIG_VERSION_KEY, versionIn } from "../../store/node-registry.ts";
import type { Store } from "../../store/store.ts";
import { type VoteFacts, withoutVote, withVote } from "../../store/vote-change.ts";
import { encodeWanted, WANTED_KEY, wantedIn } from "../../store/votes.ts";
import { type NodeId, parseNodeId } from "../../values/node-id.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard } from "../membership/roster.ts";

export class VoteDesk {
  readonly #membership: Pick<MembershipLoop, "roster">;

  constructor(membership: Pick<MembershipLoop, "roster">) {
    this.#membership = membership;
  }

  /** Resolves when it is written, to the store as it is then. Throws NODE_NOT_FOUND, NODE_UNREACHABLE, STORE_REFUSED, and as the store does. */
  async change(
    store: Pick<Store, "get" | "commit">,
    { node, vote }: GiveVote,
    view: () => Promise<StoreView>,
  ): Promise<StoreView> {
    for (;;) {
      const { entry } = await store.get(WANTED_KEY);
      const seen = await view();
      const wanted = wantedIn(entry?.value);
      const facts = { wanted, voters: seen.voters.map(asVoter) };
      const id = vote ? this.#heard(node) : this.#known(node, seen);
      const next = vote ? withVote(facts, id) : withoutVote(facts, id);
      if (next.join() === wanted.join()) return seen;
      const { entry: version } = await store.get(CONFIG_VERSION_KEY);
      const number = new TextEncoder().encode(`${versionIn(version) + 1}`);
      const { ok } = await store.commit({
        conditions: [
          { key: WANTED_KEY, revision: entry?.revision ?? 0n },
          { key: CONFIG_VERSION_KEY, revision: version?.revision ?? 0n },
        ],
        writes: [
          { type: "put", key: WANTED_KEY, value: encodeWanted(next) },
          { type: "put", key: CONFIG_VERSION_KEY, value: number },
        ],
      });
      if (ok) return { ...seen, wanted: next };
    }
  }

  #heard(node: string): NodeId {
    const { self, peers } = this.#membership.roster();
    const found = [self, ...peers].find(({ metadata }) => isNamed(metadata, node));
    if (found === undefined) throw notFound(node);
    const { id, name } = found.metadata;
    if (found === self || isHeard(found)) return id;
    throw new HansaError("NODE_UNREACHABLE", `node ${id} (${name}) is not heard`, {
      hint: "a vote that cannot be used would only count against the majority: give it when the node is back",
    });
  }

  /** Also one that nobody hears any more. */
  #known(node: string, { voters, wanted }: StoreView): NodeId {
    const { self, peers } = this.#membership.roster();
    const nodes = [...voters, ...[self, ...peers].map(({ metadata }) => metadata)];
    const found = nodes.find((each) => isNamed(each, node))?.id ?? parseNodeId(node);
    if (found === undefined) throw notFound(node);
    if (wanted.includes(found) || voters.some(({ id }) => id === found)) return found;
    throw new HansaError("STORE_REFUSED", `node ${found} has no vote`, {
      hint: "hansa vote ls shows who has one",
    });
  }
}

function isNamed({ id, name }: { readonly id: NodeId; readonly name: string }, word: string) {
  return word === `${id}` || word === name;
}

function notFound(node: string): HansaError {
  return new HansaError("NODE_NOT_FOUND", `no node ${node} is known here`);
}

/** As the rules want it. Pure. */
export function asVoter({
  id,
  hasVote,
  state,
}: StoreView["voters"][number]): VoteFacts["voters"][number] {
  return { id, hasVote, answers: state === "leads" || state === "follows" };
}
