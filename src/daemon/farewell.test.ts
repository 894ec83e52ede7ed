import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../host/logger.ts";
import { Farewell, heirOf } from "./farewell.ts";
import { memberOf, rosterWith } from "./status/status-facts.ts";

const segment = (start: number, owner: number) => ({ start, end: start + 10, owner });

test("the heir is who comes next in the ring, else anybody in reach", () => {
  const ring = [segment(0, 1), segment(10, 2), segment(20, 3), segment(30, 4)];
  assert.equal(heirOf(ring, 3, [1, 2, 4]), 4);
  assert.equal(heirOf(ring, 4, [1, 2]), 1);
  assert.equal(heirOf(ring, 4, [2, 9]), 2);
  assert.equal(heirOf(ring, 2, [9, 8]), 9);
  assert.equal(heirOf(ring, 2, []), undefined);
});

interface Stage {
  /** Peers that answer. */
  readonly answers: readonly number[];
  /** Whether the heir tells the records that it was given. */
  readonly confirms?: boolean;
  readonly leased?: boolean;
  /** Whether a container came to the network, which has what is leased. */
  readonly held?: boolean;
  /** Whether another host runs with our key. */
  readonly hasTwin?: boolean;
  /** Whether the disk takes nothing. */
  readonly isFull?: boolean;
}

/** Node 1 with 100 addresses, and nodes 2 and 3 that gossip believes alive. */
function stage({
  answers,
  confirms = true,
  leased = false,
  held = false,
  hasTwin = false,
  isFull = false,
}: Stage) {
  const roster = rosterWith(memberOf({ id: 2 }), memberOf({ id: 3 }));
  const done: string[] = [];
  let own = 100;
  let leases = leased ? [{ address: 7 }] : [];
  const farewell = new Farewell({
    self: 1,
    logger: silentLogger,
    addresses: {
      view: () => ({
        entries: own === 0 ? [] : [{ id: 1, addresses: own, fixedAddresses: 0 }],
        segments: { dynamic: [segment(0, 1), segment(10, 3)] },
      }),
      entries: () => [{ start: 0, owner: 3, version: 2, free: 100, end: 100 }],
      input: ({ type, heir }: { readonly type: string; readonly heir: number }) => {
        done.push(`${type} ${heir}`);
        if (heir !== 1 && leases.length === 0) own = 0;
      },
      leases: async () => ({ leases }),
      free: async () => {
        leases = [];
        done.push("freed");
        return 1;
      },
      carriedOut: () => (isFull ? new Promise(() => undefined) : Promise.resolve()),
      problem: isFull ? "STATE_UNWRITABLE: the disk is full" : undefined,
    },
    held: async () => (held ? [7] : []),
    membership: {
      roster: () => roster,
      remembered: [{}],
      isCertain: true,
      rival: hasTwin ? { at: { ip: "192.168.48.77", port: 6783 }, hasYielded: false } : undefined,
      search: { targets: () => [] },
      exchange: async (peers: typeof roster.peers) => {
        done.push(`exchange ${peers.map(({ metadata }) => metadata.id).join()}`);
        if (confirms && own === 0) farewell.heard([{ start: 0, owner: 3, version: 2, free: 9 }]);
        return peers.filter(({ metadata }) => !answers.includes(metadata.id));
      },
      leave: async (peers: typeof roster.peers) => {
        done.push(`leave ${peers.map(({ metadata }) => metadata.id).join()}`);
      },
    },
  } as unknown as ConstructorParameters<typeof Farewell>[0]);
  return { farewell, done };
}

test("addresses go to a peer that answers, leases of nobody first, and others hear of the leave afterwards", async () => {
  const { farewell, done } = stage({ answers: [2, 3], leased: true });
  assert.deepEqual(await farewell.done, {
    heir: { id: 3, name: "host3" },
    handedOver: 100,
    lost: 0,
    problem: undefined,
    hadPeers: true,
  });
  assert.deepEqual(done, [
    "hand-over 1",
    "exchange 2,3",
    "freed",
    "hand-over 3",
    "exchange 2",
    "exchange 3",
    "leave 2,3",
  ]);
});

test("a peer that gossip believes alive and that does not answer is given nothing", async () => {
  const { farewell, done } = stage({ answers: [] });
  const { heir, lost, problem } = await farewell.done;
  assert.deepEqual([heir, lost, problem], [undefined, 100, "no other node is in reach"]);
  assert.deepEqual(done, ["hand-over 1", "exchange 2,3", "leave "]);
});

test("what nobody confirms counts as lost", async () => {
  const { heir, lost, problem } = await stage({ answers: [2, 3], confirms: false }).farewell.done;
  assert.deepEqual([heir, lost], [undefined, 100]);
  assert.match(problem ?? "", /host3 did not confirm/);
});

test("a disk that takes nothing does not keep the node from leaving, with nothing handed over", async () => {
  const { farewell, done } = stage({ answers: [2, 3], isFull: true });
  const { heir, handedOver, lost, problem } = await farewell.done;
  assert.deepEqual([heir, handedOver, lost], [undefined, 0, 100]);
  assert.match(problem ?? "", /STATE_UNWRITABLE/);
  assert.deepEqual(done.at(-1), "leave 2,3");
});

test("the address of a container that came meanwhile is not given to anybody", async () => {
  const { farewell, done } = stage({ answers: [2, 3], leased: true, held: true });
  const { handedOver, lost, problem } = await farewell.done;
  assert.deepEqual([handedOver, lost], [0, 100]);
  assert.match(problem ?? "", /containers came to the network meanwhile/);
  assert.ok(!done.includes("freed"));
});

test("where another host runs with our very key, nobody is told that this key left, and it keeps the space", async () => {
  const { farewell, done } = stage({ answers: [2, 3], hasTwin: true });
  const { heir, handedOver, lost, problem } = await farewell.done;
  assert.deepEqual([heir, handedOver, lost], [undefined, 0, 0]);
  assert.match(problem ?? "", /another host \(192.168.48.77\) runs with this node's own key/);
  assert.deepEqual(done, ["hand-over 1", "exchange 2,3"]);
});
