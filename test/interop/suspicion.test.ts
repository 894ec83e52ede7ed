/** Failure detection across the two implementations: refutation, stream pings, indirect pings and their nacks. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { eventually } from "../../src/gossip/recording-delegate.ts";
import type { Message } from "../../src/membership/message.ts";
import { decodePacket, encodePacket } from "../../src/membership/wire/packet.ts";
import { NONCE_SIZE } from "../../src/membership/wire/security.ts";
import { type Endpoint, formatEndpoint } from "../../src/values/endpoint.ts";
import { ENVELOPE, heldBy, MixedCluster, PATIENT, TIMING, whenHeld } from "./mixed-cluster.ts";
import { type Cut, ReferenceNode } from "./reference.ts";

for (const type of ["suspect", "dead"] as const) {
  test(`a forged word that a node is ${type} is refuted by it, and the other kind believes it`, async () => {
    await using cluster = await MixedCluster.start(2, 2);
    await cluster.join();
    await cluster.agree();
    const [ours, member] = [cluster.ours[0], cluster.theirs[0]];
    assert.ok(ours && member);
    const other = {
      ours: cluster.ours[1]?.at ?? ours.at,
      theirs: cluster.theirs[1]?.at ?? member.at,
    };
    const about = await heldBy(other.theirs).then((held) => held.get("o1"));
    const aboutTheirs = await heldBy(other.ours).then((held) => held.get("m1"));
    assert.ok(about && aboutTheirs);
    // Each is told of itself by a third name, and of the other.
    const said = { type, from: "o2" };
    const packet: Message[] = [
      { ...said, incarnation: about.incarnation, node: "o1" },
      { ...said, incarnation: aboutTheirs.incarnation, node: "m1" },
    ];
    await sendPacket(ours.at, packet);
    await sendPacket(member.at, packet);
    await whenHeld(
      other.theirs,
      "o1",
      ({ state, incarnation }) => state === "alive" && incarnation > about.incarnation,
    );
    await whenHeld(
      other.ours,
      "m1",
      ({ state, incarnation }) => state === "alive" && incarnation > aboutTheirs.incarnation,
    );
    await cluster.agree();
  });
}

test("one of memberlist's that is deaf for a moment is suspected by us, refutes and is believed", async () => {
  await using cluster = await MixedCluster.start(3, 1, { timing: PATIENT }, { timing: PATIENT });
  await cluster.join();
  await cluster.agree();
  const [ours, member] = [cluster.ours[0], cluster.theirs[0]];
  assert.ok(ours && member);
  const before = ours.gossip.member("m1")?.incarnation ?? 0;
  await member.cut({ packets: ["*"], dials: ["*"], accepts: true });
  await eventually("suspected", () => ours.gossip.member("m1")?.state === "suspect");
  await member.cut({});
  await eventually("refuted", () => {
    const held = ours.gossip.member("m1");
    return held?.state === "alive" && held.incarnation > before;
  });
  assert.ok(!ours.delegate.events.includes("dead m1"));
});

test("one of ours that memberlist does not hear for a moment is suspected by it, refutes and is believed", async () => {
  const settings = { timing: PATIENT, disableTcpPings: true };
  await using cluster = await MixedCluster.start(1, 3, settings, { timing: PATIENT });
  await cluster.join();
  await cluster.agree();
  const [ours] = cluster.ours;
  const [member] = cluster.theirs;
  assert.ok(ours && member);
  const before = await whenHeld(member.at, "o1", ({ state }) => state === "alive");
  const lost = { packets: [formatEndpoint(ours.at)] };
  for (const each of cluster.theirs) await each.cut(lost);
  await whenHeld(member.at, "o1", ({ state }) => state === "suspect");
  for (const each of cluster.theirs) await each.cut({});
  await whenHeld(
    member.at,
    "o1",
    ({ state, incarnation }) => state === "alive" && incarnation > before.incarnation,
  );
  assert.ok(!member.events.includes("gone o1"));
});

test("without UDP between two nodes, stream pings keep each alive for the other", async () => {
  await using cluster = await MixedCluster.start(1, 1, { timing: PATIENT }, { timing: PATIENT });
  await cluster.join();
  await cluster.agree();
  const [ours, member] = [cluster.ours[0], cluster.theirs[0]];
  assert.ok(ours && member);
  const before = await counted(member);
  await member.cut({ packets: [formatEndpoint(ours.at)] });
  // As long as it takes to lose many pings, and for a suspicion to end: without the fall-back both would be dead.
  await eventually(
    "pings lost and streams in their place",
    async () => {
      const now = await counted(member);
      return now.lost - before.lost > 60 && now.in - before.in > 10 && now.out - before.out > 10;
    },
    120_000,
  );
  nobodyDied(cluster);
  await cluster.agree();
});

/** Who stands between a pair without any path: each kind relays for each. */
const TRIANGLES = [
  { pair: ["m1", "m2"], third: "o1" },
  { pair: ["m1", "o1"], third: "o2" },
  { pair: ["m1", "o1"], third: "m2" },
] as const;

for (const { pair, third } of TRIANGLES) {
  test(`${pair.join(" and ")} without any path between them are kept alive by ${third}, and only by it`, async () => {
    const names = [...pair, third].map((name) => name[0]);
    const ours = names.filter((kind) => kind === "o").length;
    await using cluster = await MixedCluster.start(
      ours,
      names.length - ours,
      { timing: PATIENT },
      { timing: PATIENT },
    );
    await cluster.join();
    await cluster.agree();
    const [one] = cluster.theirs;
    const other = cluster.find(pair[1]);
    assert.ok(one && other);
    const before = await counted(one);
    await one.cut(lossOf(other.at));
    if (other instanceof ReferenceNode) await other.cut(lossOf(one.at));
    await eventually(
      "many pings lost",
      async () => (await counted(one)).lost - before.lost > 40,
      120_000,
    );
    nobodyDied(cluster);
    await cluster.agree();
    await cluster.kill(third);
    await eventually("lost by memberlist", () => one.events.includes(`gone ${pair[1]}`));
    if (!(other instanceof ReferenceNode)) {
      await eventually("lost by us", () => other.delegate.events.includes(`dead ${pair[0]}`));
    }
  });
}

test("a kill is found out by an inquest whose witnesses are memberlist's, and they believe it", async () => {
  // Only ours looks: memberlist's neither probe nor push and pull, by which it confirms too, so that our suspicion alone would last two minutes.
  const timing = {
    ...{ ...TIMING, probeIntervalMs: 1_000, probeTimeoutMs: 300, suspicionMaxTimeoutMult: 30 },
    pushPullIntervalMs: 120_000,
  };
  const inquest = { inquestRounds: 3, inquestExtraRounds: 0, inquestRoundMs: 400 };
  await using cluster = await MixedCluster.start(
    1,
    4,
    { timing: { ...timing, probeIntervalMs: 120_000 } },
    { timing: { ...timing, ...inquest } },
  );
  await cluster.join();
  await cluster.agree();
  const [ours] = cluster.ours;
  assert.ok(ours);
  await cluster.kill("m4");
  const state = () => ours.gossip.member("m4")?.state;
  // A machine that is late for a round asks anew.
  await eventually("dead", () => state() === "dead", 120_000);
  for (const node of cluster.theirs.slice(0, 3)) {
    await eventually("believed", () => node.events.includes("gone m4"));
  }
});

test("both kinds ping for others: an ack when the target lives, a nack when it does not", async () => {
  await using cluster = await MixedCluster.start(1, 1);
  await using asker = await Asker.open();
  const [ours, member] = [cluster.ours[0], cluster.theirs[0]];
  assert.ok(ours && member);
  const nobody = { ip: "127.0.43.1", port: 9 };
  for (const { relay, target, node } of [
    { relay: ours.at, target: member.at, node: "m1" },
    { relay: member.at, target: ours.at, node: "o1" },
  ]) {
    assert.equal(await asker.ask(relay, target, node), "ack");
    assert.equal(await asker.ask(relay, nobody, "nobody"), "nack");
    // A target that is somebody else keeps silent.
    assert.equal(await asker.ask(relay, target, "somebody else"), "nack");
  }
});

function nobodyDied(cluster: MixedCluster): void {
  const told = [
    ...cluster.ours.map(({ delegate }) => delegate.events),
    ...cluster.theirs.map(({ events }) => events),
  ];
  assert.deepEqual(
    told.flat().filter((text) => /^(dead|gone)/.test(text)),
    [],
  );
}

async function counted(node: ReferenceNode) {
  const { packetsLost = 0, streamsIn = 0, streamsOut = 0 } = await node.counts();
  return { lost: packetsLost, in: streamsIn, out: streamsOut };
}

function lossOf(at: Endpoint): Cut {
  return { packets: [formatEndpoint(at)], dials: [formatEndpoint(at)], accepts: true };
}

async function sendPacket(to: Endpoint, messages: readonly Message[]): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.send(seal(messages), to.port, to.ip, resolve));
  socket.close();
}

function seal(messages: readonly Message[]): Uint8Array {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_SIZE));
  return encodePacket(messages, ENVELOPE, { nonce });
}

/** Somebody with the key who is no member and asks for indirect pings. */
class Asker implements AsyncDisposable {
  readonly #socket: Socket;
  #seq = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(): Promise<Asker> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.43.2");
    await once(socket, "listening");
    return new Asker(socket);
  }

  /** The type of the answer to an indirect ping by way of `relay`. */
  async ask(relay: Endpoint, target: Endpoint, node: string): Promise<string> {
    const seq = ++this.#seq;
    const source = { ip: this.#socket.address().address, port: this.#socket.address().port };
    const answered = new Promise<string>((resolve) => {
      this.#socket.on("message", (bytes) => {
        const packet = decodePacket(bytes, ENVELOPE);
        for (const message of packet.ok ? packet.messages : []) {
          if ("seq" in message && message.seq === seq) resolve(message.type);
        }
      });
    });
    const message = { type: "indirectPing", seq, target, node, nack: true, source } as const;
    this.#socket.send(seal([{ ...message, sourceNode: "asker" }]), relay.port, relay.ip);
    const type = await answered;
    this.#socket.removeAllListeners("message");
    return type;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }
}
