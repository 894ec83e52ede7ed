/** Clusters of our nodes and memberlist's: everybody sees everybody, whatever the settings, and strangers change nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../src/gossip/recording-delegate.ts";
import { MESSAGE_TYPE } from "../../src/membership/message.ts";
import { removeCrc } from "../../src/membership/wire/crc.ts";
import { open } from "../../src/membership/wire/security.ts";
import { ENVELOPE, heldBy, MixedCluster, TIMING, tellState } from "./mixed-cluster.ts";
import type { Sent } from "./reference.ts";

const NOBODY = new Uint8Array(0);

test("three of ours and three of memberlist's become one cluster, with metadata and states", async () => {
  await using cluster = await MixedCluster.start(3, 3);
  await cluster.join();
  await cluster.agree();
  const [ours, theirs] = [cluster.ours[1], cluster.theirs[1]];
  assert.ok(ours && theirs);
  const seen = ours.gossip.member("m3");
  assert.equal(Buffer.from(seen?.meta ?? NOBODY).toString(), "meta of m3");
  assert.deepEqual(seen?.endpoint, cluster.theirs[2]?.at);
  const told = (await theirs.members()).find(({ name }) => name === "o3");
  assert.equal(told?.meta.toString(), "meta of o3");
  assert.deepEqual({ ip: told?.ip, port: told?.port }, cluster.ours[2]?.at);
  assert.ok(ours.delegate.merged.includes("join state of m1"));
  assert.ok(theirs.merged.some((state) => state.toString() === "state of o1"));
});

test("eight and eight that join at one moment become one cluster", async () => {
  await using cluster = await MixedCluster.start(8, 8);
  await Promise.all([
    ...cluster.ours.map(async (node, index) => {
      const to = cluster.theirs[(index + 1) % 8];
      assert.ok(to && (await node.gossip.join(to.at)).ok);
    }),
    ...cluster.theirs.map(async (node, index) => {
      const to = cluster.ours[index];
      assert.equal(await node.join(...(to ? [to.at] : [])), 1);
    }),
  ]);
  await cluster.agree();
});

for (const compression of [false, true]) {
  test(`memberlist ${compression ? "with" : "without"} LZW compression and we understand each other`, async () => {
    await using cluster = await MixedCluster.start(1, 2, {
      compression,
      record: true,
      meta: "metadata that repeats itself ".repeat(10),
    });
    await cluster.join();
    await cluster.agree();
    const [ours, sender] = [cluster.ours[0], cluster.theirs[0]];
    assert.ok(ours && sender);
    // Ours are never compressed; that memberlist reads them is what agree() showed.
    const text = "a message that repeats itself ".repeat(30);
    await sender.sendPacket("o1", Buffer.from(text));
    await sender.sendStream("o1", Buffer.from(text));
    await eventually("both messages", () => ours.delegate.users.length === 2);
    assert.deepEqual(ours.delegate.users.toSorted(), [
      `packet ${text.length}`,
      `stream ${text.length}`,
    ]);
    const types = new Set(sender.sent.map(typeOf));
    assert.equal(types.has(`packet ${MESSAGE_TYPE.compress}`), compression);
    assert.equal(types.has(`stream ${MESSAGE_TYPE.compress}`), compression);
    assert.equal(ours.gossip.counters()["messagesIgnored"], 0);
    assert.deepEqual(ours.delegate.rejections, []);
  });
}

test("memberlist speaking its protocols 2, 3, 4 and 5 and we are one cluster, and hold each other's versions", async () => {
  await using cluster = await MixedCluster.start(2, 0);
  for (const protocol of [2, 3, 4, 5]) {
    await cluster.addTheirs(`m${protocol}`, { protocol, compression: protocol % 2 === 0 });
  }
  await cluster.join();
  await cluster.agree();
  for (const protocol of [2, 3, 4, 5]) {
    const versions = cluster.ours[1]?.gossip.member(`m${protocol}`)?.versions;
    assert.deepEqual(versions?.slice(0, 3), [1, 5, protocol]);
  }
  const told = await cluster.theirs[0]?.members();
  assert.deepEqual(told?.find(({ name }) => name === "o1")?.protocol, [2, 5, 5]);
  await cluster.theirs[2]?.kill();
  await cluster.agree(["o1", "o2", "m2", "m3", "m5"]);
});

test("over IPv6 too", async () => {
  const at = { ip: "::1", port: 0 };
  await using cluster = await MixedCluster.start(
    2,
    2,
    { bind: at.ip },
    { bind: at, advertise: at },
  );
  await cluster.join();
  await cluster.agree();
  assert.deepEqual(cluster.ours[0]?.gossip.member("m2")?.endpoint, cluster.theirs[1]?.at);
  await cluster.theirs[1]?.kill();
  await cluster.agree(["o1", "o2", "m1"]);
});

test("names of 255 bytes and of many scripts are seen on both sides", async () => {
  await using cluster = await MixedCluster.start(1, 1);
  await cluster.addOurs(`o-${"l".repeat(253)}`);
  await cluster.addTheirs(`m-${"ü".repeat(126)}x`);
  await cluster.addTheirs('名前 with spaces/and "marks"');
  await cluster.join();
  await cluster.agree();
});

test("a name longer than 255 bytes is not taken, and harms nobody", async () => {
  await using cluster = await MixedCluster.start(1, 1);
  await cluster.join();
  await cluster.agree();
  await cluster.addTheirs("x".repeat(300));
  const [ours, member, long] = [cluster.ours[0], cluster.theirs[0], cluster.theirs[1]];
  assert.ok(ours && member && long);
  await long.join(member.at);
  await eventually("memberlist sees it", async () => (await member.members()).length === 3);
  assert.ok((await ours.gossip.join(member.at)).ok);
  assert.deepEqual(
    ours.gossip.members().map(({ name }) => name),
    ["o1", "m1"],
  );
  assert.ok((await heldBy(member.at)).has("o1"));
});

test("hundreds of members and megabytes of state go through one push/pull, both ways", async () => {
  // Nobody probes: most of the members are made up.
  const timing = { ...TIMING, probeIntervalMs: 600_000, probeTimeoutMs: 300_000 };
  const text = "every byte of a state ".repeat(140_000);
  const state = Buffer.from(text);
  await using cluster = await MixedCluster.start(
    2,
    1,
    { timing, state, compression: true },
    { timing },
  );
  const [teller, other, reader] = [cluster.ours[0], cluster.ours[1], cluster.theirs[0]];
  assert.ok(teller && other && reader);
  teller.delegate.state = text;
  const made = Array.from({ length: 400 }, (_, index) => ({
    name: `made-up-${"n".repeat(100)}-${index}`,
    endpoint: { ip: `127.0.43.${1 + (index % 250)}`, port: 9 + index },
    meta: Buffer.alloc(500, index),
    incarnation: index + 1,
    state: "alive" as const,
    versions: [1, 5, 2, 0, 0, 0] as const,
  }));
  await tellState(teller.at, made);
  assert.ok((await teller.gossip.join(reader.at)).ok);
  await eventually("all read", async () => (await reader.members()).length === made.length + 2);
  const members = await reader.members();
  assert.deepEqual(members.find(({ name }) => name === made[7]?.name)?.meta, made[7]?.meta);
  assert.ok(reader.merged.some((each) => each.equals(state)));
  assert.ok((await other.gossip.join(reader.at)).ok);
  assert.equal(other.gossip.members().length, made.length + 3);
  assert.deepEqual(
    Buffer.from(other.gossip.member(made[7]?.name ?? "")?.meta ?? NOBODY),
    made[7]?.meta,
  );
  assert.ok(other.delegate.merged.includes(`join ${text}`));
});

test("whoever has another key changes nothing, on either side, and both are told", async () => {
  await using cluster = await MixedCluster.start(1, 1);
  await cluster.join();
  await cluster.agree();
  const [ours, member] = [cluster.ours[0], cluster.theirs[0]];
  assert.ok(ours && member);
  const key = Buffer.alloc(32, 2);
  const stranger = await cluster.addTheirs("m-other", { key, compression: true });
  await assert.rejects(stranger.join(ours.at));
  const clear = await cluster.addTheirs("m-clear", { key: undefined });
  await assert.rejects(clear.join(ours.at));
  const ourStranger = await cluster.addOurs("o-other", { keys: [key] });
  const result = await ourStranger.gossip.join(member.at);
  assert.ok(!result.ok && result.reason === "authentication", JSON.stringify(result));
  // A packet of each as well: the join was a stream.
  ourStranger.gossip.sendPacket(ours.at, Buffer.from("psst"));
  ourStranger.gossip.sendPacket(member.at, Buffer.from("psst"));
  await eventually("all three counted", () => ours.delegate.rejections.length === 3);
  assert.deepEqual([...new Set(ours.delegate.rejections)], ["authentication"]);
  assert.equal(ours.gossip.counters()["rejectedAuthentication"], 3);
  await cluster.agree(["o1", "m1"]);
  assert.deepEqual([...ours.delegate.users, ...member.users], []);
  assert.deepEqual(await stranger.members().then((members) => members.length), 1);
});

test("a 16-byte and a 24-byte key are read as memberlist writes them", async () => {
  for (const size of [16, 24]) {
    const key = Buffer.alloc(size, 3);
    await using cluster = await MixedCluster.start(1, 1, { key }, { keys: [key] });
    await cluster.join();
    await cluster.agree();
  }
});

/** "packet 9": the type of what was sent, below encryption and checksum. */
function typeOf({ kind, bytes }: Sent): string {
  if (kind === "packet") {
    const plain = open(ENVELOPE.keyring ?? assert.fail(), bytes, NOBODY);
    return `packet ${plain && removeCrc(plain)?.[0]}`;
  }
  const plain = open(ENVELOPE.keyring ?? assert.fail(), bytes.subarray(5), bytes.subarray(0, 5));
  return `stream ${plain?.[0]}`;
}
