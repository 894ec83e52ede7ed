/**
 * Making the store anew from a copy: which copy is taken, when that is refused, and what is changed in it. Pure.
 *
 * Invariant: nothing is made anew while a majority of the votes answers, or is heard and so may answer in a moment: two stores of one cluster would come of it.
 */
import { HansaError } from "../errors.ts";
import type { NodeId } from "../values/node-id.ts";
import { CLUSTER_NAME_KEY, CONFIG_VERSION_KEY, versionIn } from "./node-registry.ts";
import type { Entry, Revision } from "./store.ts";
import type { NamedStore, StoreCopy } from "./store-copy.ts";
import { lineageOf, newestFirst } from "./store-mark.ts";
import { MAX_VOTERS, majorityOf } from "./voter-plan.ts";
import { encodeGiven, encodeWanted, GIVEN_KEY, givenIn, WANTED_KEY, wantedIn } from "./votes.ts";

export interface CopyInReach {
  readonly node: { readonly id: NodeId; readonly name: string };
  /** `voter`: what its etcd has; `mirror`: what it last saw of the store. */
  readonly source: "voter" | "mirror";
  readonly store: NamedStore;
  readonly revision: Revision;
  /** Wall clock: when the store was last known to be so. */
  readonly takenAtMs: number;
  readonly entries: number;
  /** Members with a vote, by their names in gossip, as the copy says. */
  readonly voters: readonly string[];
  /** The store had a second vote once. */
  readonly hasGrown: boolean;
}

export interface RecoveryFacts {
  readonly copies: readonly CopyInReach[];
  /** Who was asked and says that a majority answers. */
  readonly quorate: string | undefined;
  /** Members with a vote that are heard and whose data is not known to be gone, as "host2 (node 2)" by their names in gossip. */
  readonly heard: ReadonlyMap<string, string>;
  /** The node that is to have the first vote, by its name in gossip. */
  readonly self: string;
  /** Of a member's node, also of one that nobody hears; undefined where nobody knows. */
  readonly nameOf: (member: string) => string | undefined;
}

/** The newest store of the lineage, then the greatest revision; of equal ones a voter's. Throws STORE_NONE, and STORE_OTHER where they are of different stores. */
export function newestCopy(copies: readonly CopyInReach[]): CopyInReach {
  const [first] = [...copies].sort(
    (a, b) =>
      newestFirst(a.store, b.store) ||
      Number(b.revision > a.revision) - Number(b.revision < a.revision) ||
      Number(b.source === "voter") - Number(a.source === "voter"),
  );
  if (first === undefined) {
    throw new HansaError("STORE_NONE", "no copy of a store is in reach of this node", {
      hint: "run it on a node that had a vote, or has a mirror; or take a backup: hansa restore FILE",
    });
  }
  const other = copies.find(({ store }) => lineageOf(store) !== lineageOf(first.store));
  if (other) {
    const [a, b] = [first, other].map(
      ({ store, node }) => `${store.name} (${store.id}) at node ${node.id}`,
    );
    throw new HansaError("STORE_OTHER", `copies of two stores are in reach: ${a} and ${b}`, {
      hint: "hansa reset the nodes of the one that is to go; hansa backup there saves its content before",
    });
  }
  return first;
}

/** The copy to take, so that `expected` votes are expected afterwards. Throws STORE_QUORATE, STORE_REFUSED, and as `newestCopy`. */
export function chosenCopy(expected: number, facts: RecoveryFacts): CopyInReach {
  const { quorate, heard, self } = facts;
  const chosen = newestCopy(facts.copies);
  if (quorate !== undefined) {
    throw new HansaError("STORE_QUORATE", `a majority of the votes can be reached, by ${quorate}`);
  }
  const votes = chosen.voters.length;
  const present = chosen.voters.filter((name) => heard.has(name));
  const names = present.map((name) => heard.get(name)).join(", ");
  if (votes > 0 && present.length >= majorityOf(votes)) {
    const text = `${present.length} of ${votes} votes are heard (${names}), which is a majority`;
    throw new HansaError("STORE_QUORATE", text);
  }
  // Whoever makes it has a vote in it, also where it had none.
  const after = present.includes(self) ? present.length : present.length + 1;
  if (expected > MAX_VOTERS || expected < 1) {
    throw new HansaError("STORE_REFUSED", `${expected} votes are not possible: 1 to ${MAX_VOTERS}`);
  }
  if (expected < after) {
    const text = `${after} votes are present${names === "" ? "" : ` (${names})`}, more than ${expected}`;
    throw new HansaError("STORE_REFUSED", text, { hint: `hansa expected ${after}` });
  }
  if (after < majorityOf(expected)) {
    const text = `of ${expected} votes ${majorityOf(expected)} decide, and only ${after} ${after === 1 ? "is" : "are"} present`;
    throw new HansaError("STORE_REFUSED", text, { hint: `hansa expected ${after}` });
  }
  return chosen;
}

/** Below it lies what users wrote. */
const CONTENT_PREFIX = "config/";

/** What a file brings: all of it into the store that it is of, and into another one, `current`, only what users wrote. */
export function restoredCopy(file: StoreCopy, current: StoreCopy | undefined): StoreCopy {
  if (current && lineageOf(current.store) === lineageOf(file.store)) return file;
  const isContent = ({ key }: Entry): boolean => key.startsWith(CONTENT_PREFIX);
  const kept = current?.entries.filter((entry) => !isContent(entry));
  // Nodes and votes that it names are of another cluster.
  const own = kept ?? file.entries.filter(({ key }) => key === CLUSTER_NAME_KEY);
  return { ...file, entries: [...own, ...file.entries.filter(isContent)] };
}

/** Throws STORE_REFUSED where votes of the store are out of reach, and no majority answers: they may go on without this node. */
export function refuseMissing(facts: RecoveryFacts): void {
  if (facts.quorate !== undefined || facts.copies.length === 0) return;
  const { voters } = newestCopy(facts.copies);
  const missing = voters.filter((name) => name !== facts.self && !facts.heard.has(name));
  if (missing.length === 0) return;
  const names = missing
    .map((member) => {
      const id = Number.parseInt(member, 10);
      const name = facts.nameOf(member);
      return name === undefined ? `node ${id}` : `${name} (node ${id})`;
    })
    .join(", ");
  const text = `${missing.length} of ${voters.length} votes are not heard (${names}): they may go on with the store as it is`;
  throw new HansaError("STORE_REFUSED", text, {
    hint: "bring them back; where they are gone for good: --force, and what they had is lost",
  });
}

/** The copy as the store of `self`'s vote alone: who is to have a vote includes it, and the number of the configuration is one more than here and in `current`. */
export function refoundedCopy(
  copy: StoreCopy,
  self: { readonly id: NodeId; readonly member: string },
  current: StoreCopy = copy,
): StoreCopy {
  const { entries, revision } = copy;
  const entryOf = (key: string) => entries.find((entry) => entry.key === key);
  const versions = [copy, current].map((each) =>
    versionIn(each.entries.find(({ key }) => key === CONFIG_VERSION_KEY)),
  );
  const wanted = wantedIn(entryOf(WANTED_KEY)?.value);
  const room = wanted.includes(self.id) ? wanted : wanted.slice(0, MAX_VOTERS - 1);
  const { hasGrown } = givenIn(entryOf(GIVEN_KEY)?.value);
  const version = Math.max(...versions) + 1;
  const changed: readonly (readonly [string, Uint8Array])[] = [
    [WANTED_KEY, encodeWanted([...room, self.id])],
    [GIVEN_KEY, encodeGiven({ voters: [self.member], hasGrown })],
    [CONFIG_VERSION_KEY, new TextEncoder().encode(`${version}`)],
  ];
  const keys = new Set(changed.map(([key]) => key));
  const written = changed.map(
    ([key, value]): Entry => ({ key, value, revision, created: revision }),
  );
  return { ...copy, entries: [...entries.filter(({ key }) => !keys.has(key)), ...written] };
}
