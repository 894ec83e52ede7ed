import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isHansaError } from "../../errors.ts";
import type { ConnectionRow } from "../../membership/connection-rows.ts";
import type { MemberView } from "../../membership/machine.ts";
import { memberName, memberOf, rosterWith } from "../status/status-facts.ts";
import { findVanished, type NamedNode, refuseHeard, takeOver } from "./take-over.ts";

const remembered = (id: number, key: string, name = `host${id}`) => ({
  id,
  name,
  keyFingerprint: key,
  wireguardKey: "",
  endpoint: { ip: "192.0.2.1", port: 6784 },
});

const known = (members: readonly MemberView[], met: ReturnType<typeof remembered>[] = []) => ({
  roster: rosterWith(...members),
  remembered: met,
  owners: [1, 2, 3, 4],
});

const refuses = (code: ErrorCode, words: RegExp) => (error: unknown) => {
  assert.ok(isHansaError(error, code), `${error}`);
  assert.match(error.message, words);
  return true;
};

test("a node is found by id and by name, among members, remembered nodes and owners of addresses", () => {
  const facts = known([memberOf({ id: 3, state: "dead" })], [remembered(7, "00000007", "edge")]);
  const three = { id: 3, name: "host3", keys: ["00000003"] };
  assert.deepEqual(findVanished("3", 1, facts), three);
  assert.deepEqual(findVanished("host3", 1, facts), three);
  assert.deepEqual(findVanished("edge", 1, facts), { id: 7, name: "edge", keys: ["00000007"] });
  assert.deepEqual(findVanished("4", 1, facts), { id: 4, name: undefined, keys: [] });
  assert.throws(() => findVanished("9", 1, facts), refuses("NODE_NOT_FOUND", /no node 9/));
  assert.throws(() => findVanished("1", 1, facts), refuses("USAGE", /1 is this node/));
  const twice = known([memberOf({ id: 3 })], [remembered(8, "00000008", "host3")]);
  assert.throws(() => findVanished("host3", 1, twice), refuses("USAGE", /3, 8 are all called/));
});

test("of an id with a living successor only the keys that are not heard are meant", () => {
  const former = memberOf({ id: 3, key: "00000001", state: "dead" });
  const facts = known([former, memberOf({ id: 3, key: "00000009", binding: 1 })]);
  assert.deepEqual(findVanished("3", 1, facts).keys, ["00000001"]);
  refuseHeard(findVanished("3", 1, facts), facts.roster, new Map());
});

test("it is refused while we hear the node, or a node that we hear does", () => {
  const vanished = { id: 3, name: "host3", keys: ["00000003"] };
  for (const state of ["alive", "suspect"] as const) {
    const { roster } = known([memberOf({ id: 3, state })]);
    assert.throws(
      () => refuseHeard(vanished, roster, new Map()),
      refuses("TAKE_OVER_REFUSED", /3 \(host3\)/),
    );
  }
  const rowOf = (owner: number, keyFingerprint: string): [string, ConnectionRow] => {
    const name = memberName({ id: owner });
    const connection = {
      peer: 3,
      keyFingerprint,
      state: "pending" as const,
      rttMs: undefined,
      mtu: 0,
      backend: "none" as const,
    };
    return [name, { owner: name, boot: 1, version: 1, connections: [connection] }];
  };
  const dead = memberOf({ id: 3, state: "dead" });
  const near = rosterWith(dead, memberOf({ id: 2 }));
  assert.throws(
    () => refuseHeard(vanished, near, new Map([rowOf(2, "00000003")])),
    refuses("TAKE_OVER_REFUSED", /node 3 is heard by host2/),
  );
  refuseHeard(vanished, near, new Map([rowOf(2, "0000000a")]));
  // What a node said that is not heard itself is old.
  const far = rosterWith(dead, memberOf({ id: 2, state: "dead" }));
  refuseHeard(vanished, far, new Map([rowOf(2, "00000003")]));
});

/** Node 1 with a dead node 3 and what a take-over asks of its loops. */
function stage(
  others: readonly MemberView[],
  silent: readonly string[] = [],
  registered: readonly NamedNode[] = [],
) {
  const roster = rosterWith(memberOf({ id: 3, state: "dead" }), ...others);
  const done: string[] = [];
  const view = { entries: [{ id: 3, addresses: 131_072, fixedAddresses: 114_688 }] };
  const parts = {
    self: 1,
    registered: () => registered,
    addresses: {
      view: () => view,
      input: (input: { readonly type: string }) => done.push(input.type),
      carriedOut: async () => done.push("carried out"),
    },
    membership: {
      roster: () => roster,
      remembered: [],
      knowledge: { rows: new Map() },
      exchange: async (peers: typeof roster.peers) => {
        done.push(`exchange with ${peers.map(({ metadata }) => metadata.name).join()}`);
        return peers.filter(({ metadata }) => silent.includes(metadata.name));
      },
      takeOver: ({ keyFingerprint }: { readonly keyFingerprint: string }) => {
        done.push(`${keyFingerprint} is out`);
      },
    },
  } as unknown as Parameters<typeof takeOver>[0];
  return { parts, done };
}

test("the rings are on disk before the key is out, and both before the others are told", async () => {
  const { parts, done } = stage([memberOf({ id: 2 })]);
  assert.deepEqual(await takeOver(parts, "host3", true), {
    id: 3,
    name: "host3",
    addresses: 131_072,
    fixedAddresses: 114_688,
  });
  const told = "exchange with host2";
  assert.deepEqual(done, [told, "take-over", "carried out", "00000003 is out", told]);
});

test("of a node that only the store's registry knows the key goes out, with what addresses it had", async () => {
  const left = { id: 9, name: "host9", keyFingerprint: "99999999" };
  const { parts, done } = stage([memberOf({ id: 2 })], [], [left]);
  const taken = await takeOver(parts, "host9", true);
  assert.deepEqual(taken, { id: 9, name: "host9", addresses: 0, fixedAddresses: 0 });
  assert.ok(done.includes("99999999 is out"), done.join());
});

test("without the word of the user, or of a node in reach, nothing is done", async () => {
  const others = [memberOf({ id: 2 }), memberOf({ id: 4, state: "dead" })];
  const unconfirmed = stage(others);
  await assert.rejects(
    takeOver(unconfirmed.parts, "3", false),
    refuses(
      "TAKE_OVER_UNCONFIRMED",
      /not heard by host1, host2 \(out of reach and not asked: host4\); .* 131072 addresses/,
    ),
  );
  const silent = stage(others, ["host2"]);
  await assert.rejects(
    takeOver(silent.parts, "3", true),
    refuses("TAKE_OVER_REFUSED", /host2 did not say/),
  );
  for (const { done } of [unconfirmed, silent]) assert.deepEqual(done, ["exchange with host2"]);
});
