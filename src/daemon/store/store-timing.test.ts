import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError, isHansaError } from "../../errors.ts";
import { silentLogger } from "../../host/logger.ts";
import type { ConnectionRow, RowConnection } from "../../membership/connection-rows.ts";
import { parseMemberName } from "../../membership/member-name.ts";
import { MemoryStore } from "../../store/memory-store.ts";
import type { StoreStatus } from "../../store/store.ts";
import { type EtcdTiming, LEAST_TIMING } from "../../store/store-times.ts";
import { TIMES_KEY, timesIn } from "../../store/times-entry.ts";
import type { StoreMember, VoterNode } from "../../store/voter-plan.ts";
import type { VoterLink } from "../votes/etcd-connections.ts";
import { StoreTiming } from "./store-timing.ts";

const EVERY_MS = 10_000;
const WITNESS_MEMBER = 9;
const name = (id: number): string => `${id}-0000000${id}`;
const url = (id: number): string => `https://10.32.0.${id}:9212`;

/** Voters 1, which leads, 2 and 3, so far from each other, and the witness where that has one of the votes; node 4 without a vote is further. */
function world({ voters = [1, 2, 3] }: { readonly voters?: readonly number[] } = {}) {
  const far = {
    ms: 1,
    /** From each voter to the witness. */
    witnessMs: 2 as number | undefined,
    silent: new Set<number>(),
    refusing: new Set<number>(),
    lost: new Set<number>(),
  };
  const did: string[] = [];
  const running = new Map(voters.map((id): [number, EtcdTiming] => [id, LEAST_TIMING]));
  const runs = (id: number): EtcdTiming => running.get(id) ?? LEAST_TIMING;
  const members = voters.map(
    (id): StoreMember => ({
      ...{ id: BigInt(id || WITNESS_MEMBER), name: name(id), peerUrl: url(id), isLearner: false },
    }),
  );
  const nodes = [0, 1, 2, 3, 4].map(
    (id): VoterNode => ({
      ...{ id, name: name(id), peerUrl: url(id), isHeard: true, isSteady: true, store: undefined },
    }),
  );
  const store = new MemoryStore();
  const link = { store, voters: { list: async () => members } } as unknown as VoterLink;
  const retimed = (id: number, timing: EtcdTiming): void => {
    did.push(`${id}: ${timing.heartbeatMs}`);
    running.set(id, timing);
  };
  const clock = { wallMs: 1_700_000_000_000 };
  const timing = new StoreTiming({
    lead: {
      nodes: () => nodes,
      ask: async (id) => {
        if (far.silent.has(id)) return undefined;
        const own = { ...runs(id), fsyncMs: 3, witnessMs: far.witnessMs };
        const file = { bytes: 1, inUse: 1 };
        return {
          member: `${id}`,
          leader: "1",
          isLearner: false,
          applied: "7",
          ...file,
          times: own,
        };
      },
      tell: async ({ id }, path, body) => {
        assert.equal(path, "/v1/store/times");
        if (far.refusing.has(id)) {
          did.push(`${id}: refused`);
          throw new HansaError("STATE_UNWRITABLE", "its disk is full");
        }
        retimed(id, body as EtcdTiming);
      },
    },
    place: {
      get timing() {
        return runs(1);
      },
      retime: async (next) => retimed(1, next),
    },
    rows: () => {
      const known = [1, 2, 3, 4].filter((id) => !far.lost.has(id));
      return new Map(known.map((id) => [name(id), rowOf(id, far.ms)]));
    },
    fsyncMs: () => 5,
    witnessMs: () => 1,
    wallMs: () => clock.wallMs,
    ...{ logger: silentLogger, pace: 1 },
  });
  let nowMs = 0;
  const status = { member: 1n, leader: 1n, applied: 7n } as StoreStatus;
  /** Looks for so long. */
  const pass = async (ms: number): Promise<void> => {
    for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 1000) {
      clock.wallMs += 1000;
      await timing.look(link, status, nowMs).catch((error: unknown) => {
        assert.ok(isHansaError(error, "STATE_UNWRITABLE"));
      });
    }
  };
  const written = async () => timesIn((await store.get(TIMES_KEY)).entry?.value);
  return { far, did, pass, written };
}

function rowOf(id: number, ms: number): ConnectionRow {
  const connections = [1, 2, 3, 4]
    .filter((other) => other !== id)
    .map((other): RowConnection => {
      const { keyFingerprint = "" } = parseMemberName(name(other)) ?? {};
      const rttMs = other === 4 || id === 4 ? 5000 : ms;
      return {
        ...{ peer: other, keyFingerprint, state: "established", rttMs },
        ...{ mtu: 1420, backend: "wireguard" },
      };
    });
  return { owner: name(id), boot: 1, version: 1, connections };
}

test("a longer way between voters is written down after two minutes, and one etcd after the other is started anew", async () => {
  const { far, did, pass, written } = world();
  await pass(120_000);
  assert.deepEqual([did, await written()], [[], undefined]);
  far.ms = 300;
  await pass(110_000);
  assert.deepEqual(did, []);
  await pass(60_000);
  assert.deepEqual(did, ["2: 400", "3: 400", "1: 400"]);
  const { timing, roundTripMs, fsyncMs } = (await written()) ?? {};
  assert.deepEqual([timing?.electionMs, roundTripMs, fsyncMs], [4000, 300, 5]);
});

test("while a voter is silent none is started anew; then all are", async () => {
  const { far, did, pass } = world();
  far.ms = 300;
  far.silent.add(3);
  await pass(200_000);
  assert.deepEqual(did, []);
  far.silent.clear();
  await pass(60_000);
  assert.deepEqual(did, ["2: 400", "3: 400", "1: 400"]);
});

test("a voter that refuses is asked again after a minute", async () => {
  const { far, did, pass } = world();
  far.ms = 300;
  far.refusing.add(2);
  await pass(130_000 + 59_000);
  assert.deepEqual(did, ["2: refused"]);
  far.refusing.clear();
  await pass(70_000);
  assert.deepEqual(did.slice(1), ["2: 400", "3: 400", "1: 400"]);
});

test("nothing is decided again for five minutes, and shorter times only after ten", async () => {
  const { far, did, pass } = world();
  far.ms = 150;
  await pass(150_000);
  assert.equal(did.length, 3);
  far.ms = 700;
  await pass(200_000);
  assert.equal(did.length, 3);
  await pass(150_000);
  assert.deepEqual(did.slice(3), ["2: 800", "3: 800", "1: 800"]);
  far.ms = 1;
  await pass(10 * 60_000 - 2 * EVERY_MS);
  assert.equal(did.length, 6);
  await pass(60_000);
  assert.deepEqual(did.slice(6), ["2: 200", "3: 200", "1: 200"]);
});

test("while a voter is away nothing gets shorter: it may be the far one", async () => {
  const { far, did, pass, written } = world();
  far.ms = 300;
  await pass(150_000);
  assert.equal(did.length, 3);
  far.ms = 1;
  for (const away of [far.silent, far.lost]) {
    away.add(3);
    await pass(20 * 60_000);
    assert.equal((await written())?.timing.heartbeatMs, 400);
    away.clear();
    await pass(5 * 60_000);
  }
  assert.equal(did.length, 3);
  await pass(10 * 60_000);
  assert.deepEqual(did.slice(3), ["2: 100", "3: 100", "1: 100"]);
});

test("the way to a witness counts while it has a vote; one that is not measured keeps times from getting shorter", async () => {
  const { far, did, pass } = world({ voters: [1, 2, 0] });
  far.witnessMs = 150;
  await pass(150_000);
  assert.deepEqual(did, ["2: 200", "0: 200", "1: 200"]);
  far.witnessMs = undefined;
  await pass(12 * 60_000);
  assert.equal(did.length, 3);
  far.witnessMs = 1;
  await pass(12 * 60_000);
  assert.deepEqual(did.slice(3), ["2: 100", "0: 100", "1: 100"]);
  const without = world();
  without.far.witnessMs = 300;
  await without.pass(200_000);
  assert.deepEqual(without.did, []);
});
