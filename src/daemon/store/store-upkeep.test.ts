import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../host/logger.ts";
import type { StoreStatus } from "../../store/store.ts";
import type { StoreMember, VoterNode } from "../../store/voter-plan.ts";
import type { VoterLink } from "../votes/etcd-connections.ts";
import { StoreUpkeep } from "./store-upkeep.ts";

const MIB = 1024 * 1024;
const name = (id: number): string => `${id}-00000000`;
const url = (id: number): string => `https://10.32.0.${id}:9212`;

/** Voters 1, which leads, and 2; each file is 200 MiB of which 20 are used, until it is defragmented. */
function world(isFull: boolean) {
  const did: string[] = [];
  const files = new Map([1, 2].map((id) => [id, { bytes: 200 * MIB, inUse: 20 * MIB }]));
  let alarms = isFull ? [2n] : [];
  const fileOf = (id: number) => files.get(id) ?? { bytes: 0, inUse: 0 };
  const defragment = (id: number): void => {
    did.push(`defragment ${id}`);
    files.set(id, { bytes: 20 * MIB, inUse: 20 * MIB });
  };
  const members = [1, 2].map(
    (id): StoreMember => ({
      ...{ id: BigInt(id), name: name(id), peerUrl: url(id), isLearner: false },
    }),
  );
  const nodes = [1, 2].map(
    (id): VoterNode => ({
      ...{ id, name: name(id), peerUrl: url(id), isHeard: true, isSteady: true, store: undefined },
    }),
  );
  const link = {
    store: { compact: async (revision: bigint) => void did.push(`compact ${revision}`) },
    voters: { list: async () => members },
    upkeep: {
      full: async () => alarms,
      defragment: async () => defragment(1),
      disarm: async (member: bigint) => {
        did.push(`disarm ${member}`);
        alarms = [];
      },
    },
  } as unknown as VoterLink;
  const upkeep = new StoreUpkeep({
    lead: {
      nodes: () => nodes,
      ask: async (id) => ({
        ...{ member: `${id}`, leader: "1", isLearner: false, applied: "7", ...fileOf(id) },
      }),
      tell: async ({ id }, path) => {
        assert.equal(path, "/v1/store/defragment");
        defragment(id);
      },
    },
    logger: silentLogger,
  });
  const status = (): StoreStatus => {
    const { bytes, inUse } = fileOf(1);
    const file = { bytes: BigInt(bytes), inUse: BigInt(inUse) };
    return { member: 1n, leader: 1n, revision: 9n, ...file } as StoreStatus;
  };
  return { did, look: (nowMs: number) => upkeep.look(link, status(), nowMs) };
}

test("large files are defragmented one after another, the leader's own last, and then looked at twice a minute", async () => {
  const { did, look } = world(false);
  for (let count = 0; count < 5; count++) await look(1000 + count);
  assert.deepEqual(did, ["defragment 2", "defragment 1"]);
});

test("a full store is compacted once, defragmented, and the alarm taken back", async () => {
  const { did, look } = world(true);
  for (let count = 0; count < 6; count++) await look(1000 + count);
  assert.deepEqual(did, ["compact 9", "defragment 2", "defragment 1", "disarm 2"]);
});
