/** What nodes say to each other across the two implementations: metadata and user messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StreamError } from "../../src/gossip/gossip.ts";
import { eventually } from "../../src/gossip/recording-delegate.ts";
import { MixedCluster } from "./mixed-cluster.ts";

test("changed metadata is seen on the other side, both ways", async () => {
  await using cluster = await MixedCluster.start(2, 2);
  await cluster.join();
  await cluster.agree();
  const [ours, member] = [cluster.ours[0], cluster.theirs[0]];
  assert.ok(ours && member);
  for (const change of ["first", "", "m".repeat(512)]) {
    ours.gossip.announce(Buffer.from(change), ours.at);
    for (const node of cluster.theirs) {
      await eventually(`${node.name} reads our ${change.length} bytes`, async () => {
        const told = (await node.members()).find(({ name }) => name === "o1");
        return told?.meta.toString() === change;
      });
    }
    await member.announce(change);
    for (const node of cluster.ours) {
      await eventually(`we read its ${change.length} bytes`, () => {
        const meta = node.gossip.member("m1")?.meta;
        return meta !== undefined && Buffer.from(meta).toString() === change;
      });
    }
  }
  assert.ok(member.events.includes("updated o1"));
  assert.ok(ours.delegate.events.includes("updated m1"));
});

test("packets and streams with user messages arrive both ways, once, at the one meant", async () => {
  await using cluster = await MixedCluster.start(2, 2, { compression: true });
  await cluster.join();
  await cluster.agree();
  const [ours, member] = [cluster.ours[0], cluster.theirs[0]];
  assert.ok(ours && member);
  ours.gossip.sendPacket(member.at, Buffer.from("by packet"));
  ours.gossip.sendPacket(member.at, Buffer.alloc(9_000));
  await member.sendPacket("o1", Buffer.from("by packet"));
  await member.sendPacket("o1", Buffer.alloc(9_000));
  await member.sendStream("o1", Buffer.from("by stream"));
  await member.sendStream("o1", Buffer.alloc(2_000_000));
  // memberlist reads it but confirms nothing, and our sender wants a confirmation.
  await assert.rejects(ours.gossip.sendStream(member.at, Buffer.from("by stream")), StreamError);
  await assert.rejects(ours.gossip.sendStream(member.at, Buffer.alloc(2_000_000)), StreamError);
  await eventually("memberlist has four", () => member.users.length === 4);
  await eventually("we have four", () => ours.delegate.users.length === 4);
  assert.deepEqual(member.users.toSorted(), ["2000000", "9000", "by packet", "by stream"]);
  assert.deepEqual(ours.delegate.users.toSorted(), [
    "packet 9000",
    "packet by packet",
    "stream 2000000",
    "stream by stream",
  ]);
  assert.deepEqual(
    [...(cluster.theirs[1]?.users ?? []), ...(cluster.ours[1]?.delegate.users ?? [])],
    [],
  );
});

test("a broadcast of either kind is read by the other", async () => {
  // Two nodes: whoever hears a user message passes it on or not, as its delegate likes, and ours here do not.
  await using cluster = await MixedCluster.start(1, 1);
  await cluster.join();
  await cluster.agree();
  const [ours, member] = [cluster.ours[0], cluster.theirs[0]];
  assert.ok(ours && member);
  ours.gossip.broadcast("row", Buffer.from("ours to all"));
  await member.broadcast(Buffer.from("theirs to all"));
  await eventually("it has ours", () => member.users.includes("ours to all"));
  await eventually("we have its", () => ours.delegate.users.includes("packet theirs to all"));
});
