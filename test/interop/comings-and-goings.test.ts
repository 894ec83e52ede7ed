/** Leaving, dying and coming back, seen from the other implementation. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../src/gossip/recording-delegate.ts";
import { heldBy, MixedCluster, nameOf, whenHeld } from "./mixed-cluster.ts";

test("a graceful leave of either kind is held as a leave by the other", async () => {
  await using cluster = await MixedCluster.start(3, 3);
  await cluster.join();
  await cluster.agree();
  const [ours, member] = [cluster.ours[2], cluster.theirs[2]];
  assert.ok(ours && member);
  await member.leave();
  await ours.gossip.leave(20_000);
  await ours.gossip.close();
  await cluster.agree(["o1", "o2", "m1", "m2"]);
  for (const node of cluster.theirs.slice(0, 2)) {
    await whenHeld(node.at, "o3", ({ state }) => state === "left");
  }
  // memberlist tells few at once: whoever missed the rumour learns of it by a push/pull.
  for (const node of cluster.ours.slice(0, 2)) {
    await eventually("left", () => node.delegate.events.includes("left m3"));
    await whenHeld(node.at, "m3", ({ state }) => state === "left");
  }
});

test("a kill of either kind is seen by the other", async () => {
  await using cluster = await MixedCluster.start(3, 3);
  await cluster.join();
  await cluster.agree();
  await cluster.theirs[2]?.kill();
  await cluster.ours[2]?.gossip.close();
  await cluster.agree(["o1", "o2", "m1", "m2"]);
  for (const node of [...cluster.ours.slice(0, 2), ...cluster.theirs.slice(0, 2)]) {
    await whenHeld(node.at, "o3", ({ state }) => state === "dead");
    await whenHeld(node.at, "m3", ({ state }) => state === "dead");
  }
  assert.ok(cluster.ours[0]?.delegate.events.includes("suspect m3"));
});

test("who comes back at once with a lower incarnation than remembered refutes and is seen anew, both ways", async () => {
  await using cluster = await MixedCluster.start(2, 2);
  await cluster.join();
  await cluster.agree();
  const [ours, member] = [cluster.ours[1], cluster.theirs[1]];
  assert.ok(ours && member && cluster.ours[0] && cluster.theirs[0]);
  for (const life of ["second", "third", "fourth"]) {
    ours.gossip.announce(Buffer.from(life), ours.at);
    await member.announce(life);
  }
  const before = await whenHeld(cluster.theirs[0].at, "o2", ({ incarnation }) => incarnation >= 4);
  const theirBefore = await whenHeld(cluster.ours[0].at, "m2", (held) => held.incarnation >= 4);
  await ours.gossip.close();
  await member.kill();
  const { port } = member.at;
  const reborn = await cluster.addTheirs("m2", { port, bind: member.at.ip, meta: "reborn" });
  await reborn.join(cluster.ours[0].at);
  const ourReborn = await cluster.addOurs("o2", {
    bind: ours.at,
    advertise: ours.at,
    meta: Buffer.from("reborn"),
  });
  assert.ok((await ourReborn.gossip.join(cluster.theirs[0].at)).ok);
  const isReborn = ({ state, incarnation }: { state: string; incarnation: number }, than: number) =>
    state === "alive" && incarnation > than;
  await whenHeld(cluster.theirs[0].at, "o2", (held) => isReborn(held, before.incarnation));
  await whenHeld(cluster.ours[0].at, "m2", (held) => isReborn(held, theirBefore.incarnation));
  assert.equal(nameOf(ourReborn), "o2");
  await eventually("the new metadata, ours", async () => {
    const told = await cluster.theirs[0]?.members();
    return told?.find(({ name }) => name === "o2")?.meta.toString() === "reborn";
  });
  await eventually("the new metadata, theirs", () => {
    const meta = cluster.ours[0]?.gossip.member("m2")?.meta;
    return meta !== undefined && Buffer.from(meta).toString() === "reborn";
  });
});

test("who comes back after it was held dead, with a lower incarnation, is alive again, both ways", async () => {
  await using cluster = await MixedCluster.start(2, 2);
  await cluster.join();
  await cluster.agree();
  const [ours, member] = [cluster.ours[1], cluster.theirs[1]];
  assert.ok(ours && member && cluster.ours[0] && cluster.theirs[0]);
  ours.gossip.announce(Buffer.from("second"), ours.at);
  await member.announce("second");
  await whenHeld(cluster.theirs[0].at, "o2", ({ incarnation }) => incarnation >= 2);
  await whenHeld(cluster.ours[0].at, "m2", ({ incarnation }) => incarnation >= 2);
  await ours.gossip.close();
  await member.kill();
  await cluster.agree(["o1", "m1"]);
  const reborn = await cluster.addTheirs("m2", { port: member.at.port, bind: member.at.ip });
  await reborn.join(cluster.ours[0].at);
  const ourReborn = await cluster.addOurs("o2", { bind: ours.at, advertise: ours.at });
  assert.ok((await ourReborn.gossip.join(cluster.theirs[0].at)).ok);
  for (const at of [cluster.ours[0].at, cluster.theirs[0].at]) {
    await whenHeld(at, "o2", ({ state }) => state === "alive");
    await whenHeld(at, "m2", ({ state }) => state === "alive");
  }
  assert.equal((await heldBy(cluster.theirs[0].at)).size, 4);
});
