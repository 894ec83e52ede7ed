import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isHansaError } from "../errors.ts";
import { CONFIG_VERSION_KEY, versionIn } from "./node-registry.ts";
import {
  type CopyInReach,
  chosenCopy,
  newestCopy,
  type RecoveryFacts,
  refoundedCopy,
  refuseMissing,
  restoredCopy,
} from "./recovery-plan.ts";
import type { Entry } from "./store.ts";
import type { StoreCopy } from "./store-copy.ts";
import { nextMark } from "./store-mark.ts";
import { encodeGiven, encodeWanted, GIVEN_KEY, givenIn, WANTED_KEY, wantedIn } from "./votes.ts";

const LINEAGE = "3f1c0d2b9a8e7f65";
const member = (id: number): string => `${id}-00000000`;

function copy(id: number, different: Partial<CopyInReach> = {}): CopyInReach {
  return {
    ...{ node: { id, name: `host${id}` }, source: "voter", revision: 7n, takenAtMs: 0, entries: 3 },
    ...{ store: { id: LINEAGE, name: "prod", generation: 1 }, voters: [1, 2, 3].map(member) },
    hasGrown: true,
    ...different,
  };
}

/** Node 1 looks; `ids` are heard and have a vote. */
function facts(ids: readonly number[], different: Partial<RecoveryFacts> = {}): RecoveryFacts {
  const heard = new Map(ids.map((id) => [member(id), `host${id} (node ${id})`]));
  const nameOf = (name: string) => (name === member(3) ? "host3" : undefined);
  return { copies: [copy(1)], quorate: undefined, heard, self: member(1), nameOf, ...different };
}

function refuses(code: ErrorCode, words: RegExp, act: () => unknown): void {
  assert.throws(act, (error) => isHansaError(error, code) && words.test(error.message));
}

test("the newest copy is of the greatest generation, then of the greatest revision, then a vote's", () => {
  const old = copy(1, { revision: 9n });
  const store = { id: `${LINEAGE}aaaaaaaa`, name: "prod", generation: 2 };
  const next = copy(5, { store, source: "mirror", revision: 10n ** 12n });
  const more = copy(2, { store, revision: 10n ** 12n });
  assert.equal(newestCopy([old, copy(2)]), old);
  assert.equal(newestCopy([old, next]), next);
  assert.equal(newestCopy([next, more, old]), more);
});

test("copies of two stores are not chosen from; of two recoveries side by side the later one is, whatever its revision", () => {
  const other = { id: "0000000000000000", name: "test", generation: 1 };
  refuses("STORE_OTHER", /prod \(3f1c0d2b9a8e7f65\) at node 1 and test/, () =>
    newestCopy([copy(1), copy(2, { store: other })]),
  );
  const beside = [1, 2].map((second) => {
    const mark = nextMark([{ id: LINEAGE, generation: 1 }], second * 1000, "aaaaaaaa");
    return copy(second, { store: { ...mark, name: "prod" }, revision: 9n - BigInt(second) });
  });
  assert.equal(newestCopy(beside), beside[1]);
  refuses("STORE_NONE", /no copy/, () => newestCopy([]));
});

test("nothing is made anew while a majority answers or is heard", () => {
  refuses("STORE_QUORATE", /can be reached, by host2/, () =>
    chosenCopy(1, facts([1], { quorate: "host2 (node 2)" })),
  );
  refuses("STORE_QUORATE", /2 of 3 votes are heard \(host1 \(node 1\), host3/, () =>
    chosenCopy(2, facts([1, 3])),
  );
});

test("the number is that of the votes that are present, or one of which they are a majority", () => {
  assert.equal(chosenCopy(1, facts([1])).node.id, 1);
  refuses("STORE_REFUSED", /of 2 votes 2 decide, and only 1 is present/, () =>
    chosenCopy(2, facts([1])),
  );
  const four = { copies: [copy(1, { voters: [1, 2, 3, 4].map(member) })] };
  refuses("STORE_REFUSED", /2 votes are present .*, more than 1/, () =>
    chosenCopy(1, facts([1, 2], four)),
  );
  assert.equal(chosenCopy(2, facts([1, 2], four)).node.id, 1);
  assert.equal(chosenCopy(3, facts([1, 2], four)).node.id, 1);
  refuses("STORE_REFUSED", /of 4 votes 3 decide, and only 2 are present/, () =>
    chosenCopy(4, facts([1, 2], four)),
  );
});

test("a node that had no vote makes it from a mirror, and counts itself", () => {
  const mirror = { copies: [copy(5, { source: "mirror" })], self: member(5) };
  assert.equal(chosenCopy(1, facts([], mirror)).source, "mirror");
  refuses("STORE_REFUSED", /2 votes are present \(host2 \(node 2\)\), more than 1/, () =>
    chosenCopy(1, facts([2], mirror)),
  );
});

test("the store that is made anew has the vote of its maker, and all else as it was", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const entry = (key: string, value: Uint8Array): Entry => ({
    key,
    value,
    revision: 3n,
    created: 2n,
  });
  const before = {
    ...{ store: { id: LINEAGE, name: "prod", generation: 1 }, revision: 7n, takenAtMs: 5 },
    entries: [
      entry("config/motd", bytes("hello")),
      entry(CONFIG_VERSION_KEY, bytes("4")),
      entry(GIVEN_KEY, encodeGiven({ voters: [1, 2].map(member), hasGrown: true })),
    ],
  };
  const after = refoundedCopy(before, { id: 9, member: member(9) });
  const value = (key: string) => after.entries.find((each) => each.key === key)?.value;
  assert.deepEqual(wantedIn(value(WANTED_KEY)), [1, 2, 3, 4, 9]);
  assert.deepEqual(givenIn(value(GIVEN_KEY)), { voters: [member(9)], hasGrown: true });
  assert.deepEqual(value(CONFIG_VERSION_KEY), bytes("5"));
  assert.deepEqual(value("config/motd"), bytes("hello"));
  const full = { ...before, entries: [entry(WANTED_KEY, encodeWanted([1, 2, 3, 4, 5, 6, 7]))] };
  const wanted = refoundedCopy(full, { id: 9, member: member(9) }).entries;
  assert.deepEqual(
    wantedIn(wanted.find(({ key }) => key === WANTED_KEY)?.value),
    [1, 2, 3, 4, 5, 6, 9],
  );
});

test("a file of another store brings what users wrote, and the number of the configuration never falls", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const of = (id: string, values: Readonly<Record<string, string>>): StoreCopy => ({
    ...{ store: { id, name: "prod", generation: 1 }, revision: 7n, takenAtMs: 0 },
    entries: Object.entries(values).map(([key, value]) => ({
      ...{ key, value: bytes(value), revision: 3n, created: 2n },
    })),
  });
  const own = of(LINEAGE, {
    "cluster/nodes/1": "ours",
    "config/a": "old",
    [CONFIG_VERSION_KEY]: "40",
  });
  const old = of(LINEAGE, {
    "cluster/nodes/2": "then",
    "config/a": "then",
    [CONFIG_VERSION_KEY]: "4",
  });
  const foreign = of("0".repeat(16), {
    ...{ "cluster/nodes/9": "theirs", "config/b": "new", [CONFIG_VERSION_KEY]: "90" },
  });
  const keys = (made: StoreCopy): string[] => made.entries.map(({ key }) => key).sort();
  assert.equal(restoredCopy(old, own), old);
  const into = restoredCopy(foreign, own);
  assert.deepEqual(keys(into), [CONFIG_VERSION_KEY, "cluster/nodes/1", "config/b"]);
  assert.deepEqual(keys(restoredCopy(foreign, undefined)), ["config/b"]);
  const version = (made: StoreCopy): number =>
    versionIn(made.entries.find(({ key }) => key === CONFIG_VERSION_KEY));
  const self = { id: 1, member: member(1) };
  assert.equal(version(refoundedCopy(restoredCopy(old, own), self, own)), 41);
  assert.equal(version(refoundedCopy(into, self, own)), 41);
});

test("a file is not restored beside votes that are missing and may go on, but where a majority answers", () => {
  refuses("STORE_REFUSED", /2 of 3 votes are not heard \(node 2, host3 \(node 3\)\)/, () =>
    refuseMissing(facts([1])),
  );
  refuseMissing(facts([1, 2, 3]));
  // Its own etcd may be broken for good.
  refuseMissing(facts([2, 3]));
  refuseMissing(facts([1, 2], { quorate: "host2 (node 2)" }));
  refuseMissing(facts([], { copies: [] }));
});
