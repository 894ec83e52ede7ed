import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError } from "../errors.ts";
import { ManualClock } from "../host/clock.ts";
import { silentLogger } from "../host/logger.ts";
import { HandOver } from "./hand-over.ts";

/** A witness, member 7, and two nodes and a learner. */
function world() {
  const clock = new ManualClock();
  const scene = { leader: 7n, connected: [1n, 2n, 3n], able: [1n, 2n], asked: [] as bigint[] };
  const members = [7n, 1n, 2n, 3n].map((id) => ({
    ...{ id, name: `${id}`, peerUrl: "", isLearner: id === 3n },
  }));
  const voters = {
    list: async () => members,
    haveLead: async (id: bigint) => {
      scene.asked.push(id);
      if (!scene.able.includes(id)) throw new HansaError("STORE_NO_QUORUM", "took too long");
      scene.leader = id;
    },
  };
  const metrics = async (): Promise<string> =>
    scene.connected
      .map((id) => `etcd_network_active_peers{Local="7",Remote="${id.toString(16)}"} 1\n`)
      .join("");
  const over = new HandOver({
    metrics,
    monotonicMs: () => clock.monotonicMs(),
    logger: silentLogger,
  });
  const look = () =>
    over.look({ voters } as unknown as Parameters<HandOver["look"]>[0], {
      ...{ member: 7n, leader: scene.leader },
    });
  return { scene, clock, look };
}

test("a witness that leads gives the lead away at once, and one that does not does nothing", async () => {
  const { scene, look } = world();
  await look();
  await look();
  assert.deepEqual([scene.asked, scene.leader], [[1n], 1n]);
  scene.leader = 7n;
  await look();
  assert.deepEqual([scene.asked, scene.leader], [[1n, 2n], 2n]);
});

test("who is not connected, and who has no vote, is not asked; after one that does not come to it the next has its turn, a while later", async () => {
  const { scene, clock, look } = world();
  scene.connected = [3n];
  await look();
  assert.deepEqual(scene.asked, []);
  scene.connected = [1n, 2n];
  scene.able = [2n];
  await look();
  await look();
  assert.deepEqual(scene.asked, [1n]);
  clock.advance(10_000);
  await look();
  assert.deepEqual([scene.asked, scene.leader], [[1n, 2n], 2n]);
});
