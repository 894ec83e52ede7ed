import assert from "node:assert/strict";
import { test } from "node:test";
import {
  alive,
  at,
  hear,
  kinds,
  ME,
  machine,
  packets,
  remote,
  sent,
  tickUntil,
} from "./lone-machine.ts";
import type { Message } from "./message.ts";
import { messageSize } from "./wire/message-size.ts";

const NO_STATE = new Uint8Array();

test("a life begins one incarnation above the last, and says so first", () => {
  const member = machine({ incarnation: 41 });
  const outputs = hear(member, alive("b", 2));
  assert.deepEqual(outputs[0], { type: "incarnation", value: 42 });
  assert.equal(member.localMembers()[0]?.incarnation, 42);
});

test("alone there is nothing to do", () => {
  const member = machine();
  member.handle({ type: "tick" }, 0);
  assert.equal(member.nextTickMs(), Number.POSITIVE_INFINITY);
});

test("metadata above 512 bytes is refused from us and ignored from others", () => {
  assert.throws(() => machine({ meta: new Uint8Array(513) }), RangeError);
  const member = machine();
  const input = { type: "announce", meta: new Uint8Array(513), endpoint: ME } as const;
  assert.throws(() => member.handle(input, 0), RangeError);
  hear(member, alive("b", 2, 1, new Uint8Array(513)));
  assert.equal(member.members().length, 1);
});

test("a member that speaks no version of ours is ignored", () => {
  const member = machine();
  hear(member, { ...alive("b", 2), versions: [1, 1, 1, 0, 0, 0] });
  hear(member, { ...alive("c", 3), endpoint: { ip: "10.0.0.3", port: 0 } });
  hear(member, { ...alive("", 3) });
  assert.equal(member.members().length, 1);
});

test("a ping is answered to its source, and one for another member is not", () => {
  const member = machine();
  const ping = { type: "ping", seq: 9, node: "me", source: at(7) } as const;
  assert.deepEqual(sent(hear(member, ping), at(7)), [
    { type: "ack", seq: 9, payload: new Uint8Array() },
  ]);
  assert.deepEqual(sent(hear(member, { ...ping, node: "other" })), []);
});

test("an unanswered ping is followed by indirect pings and a stream ping, then by suspicion", () => {
  const member = machine();
  for (const [name, number] of [
    ["b", 2],
    ["c", 3],
    ["d", 4],
  ] as const)
    hear(member, alive(name, number));
  const outputs = tickUntil(member, 5_000, ({ type }) => type === "event");
  const indirect = sent(outputs).flatMap((one) => (one.type === "indirectPing" ? [one.seq] : []));
  const ofProbe = indirect.filter((seq) => seq === indirect[0]);
  assert.equal(ofProbe.length, 2, "asks both others");
  const stream = outputs.find(({ type }) => type === "stream-ping");
  assert.ok(stream?.type === "stream-ping" && stream.ping.type === "ping");
  assert.deepEqual(kinds(outputs), ["suspect"]);
  // Relays that said nothing count against ourselves.
  assert.equal(member.awareness, 2);
});

test("the ack of a stream ping clears the probe", () => {
  const member = machine();
  hear(member, alive("b", 2));
  const outputs = tickUntil(member, 5_000, ({ type }) => type === "stream-ping");
  const stream = outputs.find(({ type }) => type === "stream-ping");
  assert.ok(stream?.type === "stream-ping" && stream.ping.type === "ping");
  const ack = { type: "ack", seq: stream.ping.seq, payload: new Uint8Array() } as const;
  const nowMs = stream.deadlineMs - 1;
  member.handle({ type: "packet", from: at(2), message: ack, reliable: true }, nowMs);
  member.handle({ type: "tick" }, nowMs + 100);
  assert.equal(member.member("b")?.state, "alive");
  assert.equal(member.awareness, 0);
});

test("a relay forwards the ack, or says after a while that there is none", () => {
  const member = machine();
  const request = { type: "indirectPing", seq: 5, node: "b", target: at(8), nack: true } as const;
  const [ping] = sent(hear(member, request), at(8));
  assert.ok(ping?.type === "ping" && ping.node === "b");
  const ack = { type: "ack", seq: ping.seq, payload: new Uint8Array() } as const;
  assert.deepEqual(sent(hear(member, ack, 1, at(8)), at(2)), [{ ...ack, seq: 5 }]);
  hear(member, request, 10);
  assert.deepEqual(sent(tickUntil(member, 500), at(2)), [{ type: "nack", seq: 5 }]);
});

test("relayed pings are bounded", () => {
  const member = machine();
  const request = { type: "indirectPing", seq: 5, node: "b", target: at(8), nack: false } as const;
  let pings = 0;
  for (let count = 0; count < 1_000; count++) pings += sent(hear(member, request)).length;
  assert.equal(pings, 256);
});

test("an accusation against us is refuted above it, straight back and by gossip", () => {
  const member = machine();
  hear(member, alive("b", 2));
  hear(member, alive("c", 3));
  const accusation = { type: "dead", incarnation: 100, node: "me", from: "b" } as const;
  const outputs = hear(member, accusation, 5_000);
  assert.ok(outputs.some(({ type }) => type === "incarnation"));
  const first = outputs.findIndex(({ type }) => type === "packet");
  const written = outputs.findIndex(({ type }) => type === "incarnation");
  assert.ok(written < first, "written down before it is sent");
  const [answer] = sent(outputs, at(2));
  assert.ok(answer?.type === "alive" && answer.incarnation === 101);
  // An old accusation afterwards is answered, but not refuted again.
  const again = hear(member, accusation, 5_001);
  assert.ok(!again.some(({ type }) => type === "incarnation"));
  assert.equal(packets(again, at(2)), 1);
});

test("straight answers to accusations are bounded", () => {
  const member = machine();
  const accusation = { type: "dead", incarnation: 1, node: "me", from: "b" } as const;
  let answers = 0;
  for (let count = 0; count < 100; count++) answers += packets(hear(member, accusation), at(2));
  assert.equal(answers, 8);
});

test("a dead member that pings us hears with the ack that it is held dead", () => {
  const member = machine();
  hear(member, alive("b", 2, 3));
  hear(member, { type: "dead", incarnation: 3, node: "b", from: "c" });
  const ping = { type: "ping", seq: 1, node: "me", source: at(2), sourceNode: "b" } as const;
  const types = sent(hear(member, ping, 60_000), at(2)).map(({ type }) => type);
  assert.deepEqual(types.slice(0, 2), ["dead", "ack"]);
});

test("a dead member is pinged now and then for ever, and its ack begins a push/pull", () => {
  const member = machine();
  hear(member, alive("b", 2));
  hear(member, { type: "dead", incarnation: 1, node: "b", from: "c" });
  tickUntil(member, 3_600_000);
  const outputs = tickUntil(member, 3_606_000);
  const ping = sent(outputs, at(2)).find(({ type }) => type === "ping");
  assert.ok(ping?.type === "ping");
  const ack = { type: "ack", seq: ping.seq, payload: new Uint8Array() } as const;
  const [sync] = hear(member, ack, 3_606_000).filter(({ type }) => type === "sync");
  assert.deepEqual(sync, { type: "sync", to: at(2), node: "b" });
});

test("a leave of a member is final for its incarnation and overrides its death", () => {
  const member = machine();
  hear(member, alive("b", 2));
  hear(member, { type: "dead", incarnation: 1, node: "b", from: "c" });
  const outputs = hear(member, { type: "dead", incarnation: 1, node: "b", from: "b" });
  assert.deepEqual(kinds(outputs), ["left"]);
  hear(member, { type: "dead", incarnation: 1, node: "b", from: "c" });
  assert.equal(member.member("b")?.state, "left");
  assert.deepEqual(kinds(hear(member, alive("b", 2, 2))), ["joined"]);
});

test("a removed member is forgotten and comes back only by a new alive", () => {
  const member = machine();
  hear(member, alive("b", 2, 5));
  member.handle({ type: "remove", name: "b" }, 10);
  assert.equal(member.member("b"), undefined);
  const state = { join: false, members: [remote("b", 2, "dead")], userState: new Uint8Array() };
  member.handle({ type: "remote-state", from: at(3), state }, 20);
  assert.equal(member.member("b"), undefined);
  const told = sent(hear(member, alive("b", 2, 5), 2_000), at(2));
  assert.ok(told.some((message) => message.type === "dead" && message.incarnation === 5));
  assert.deepEqual(kinds(hear(member, alive("b", 2, 6), 2_001)), ["joined"]);
});

test("a push/pull teaches also the dead, suspects those we hold alive, and takes leaves at their word", () => {
  const member = machine();
  hear(member, alive("b", 2, 5));
  hear(member, alive("c", 3, 5));
  const members = [
    remote("b", 2, "dead"),
    remote("c", 3, "left"),
    remote("d", 4, "dead"),
    remote("e", 5, "left"),
    remote("f", 6, "suspect"),
    remote("g", 7, "alive"),
  ];
  const state = { join: true, members, userState: new Uint8Array() };
  member.handle({ type: "remote-state", from: at(9), state }, 10);
  const seen = member.members().map(({ name, state: held }) => [name, held]);
  assert.deepEqual(seen.sort(), [
    ["b", "suspect"],
    ["c", "left"],
    ["d", "dead"],
    ["f", "suspect"],
    ["g", "alive"],
    ["me", "alive"],
  ]);
});

test("who joins does not pass on what it is told first, since those who told it do; later it does", () => {
  const member = machine();
  const exchange = (node: string, number: number, isAnswer: boolean) => {
    const state = { join: true, members: [remote(node, number, "alive")], userState: NO_STATE };
    const outputs = member.handle({ type: "remote-state", from: at(9), state, isAnswer }, number);
    return sent([...outputs, ...tickUntil(member, number + 900)]);
  };
  const isAbout = (name: string) => (message: Message) =>
    message.type === "alive" && message.node === name;
  const first = exchange("b", 2, true);
  assert.ok(first.some(isAbout("me")));
  assert.ok(!first.some(isAbout("b")));
  assert.ok(exchange("c", 3000, true).some(isAbout("c")));

  const seed = machine();
  for (const [node, number] of [
    ["b", 2],
    ["c", 3],
  ] as const) {
    const state = { join: true, members: [remote(node, number, "alive")], userState: NO_STATE };
    seed.handle({ type: "remote-state", from: at(number), state }, number);
  }
  const told = sent(tickUntil(seed, 900));
  assert.ok(told.some(isAbout("b")) && told.some(isAbout("c")));
});

test("the same incarnation at two endpoints is a conflict and changes nothing", () => {
  const member = machine();
  hear(member, alive("b", 2, 5));
  const outputs = hear(member, alive("b", 3, 5), 10);
  assert.deepEqual(kinds(outputs), ["conflict"]);
  assert.deepEqual(kinds(hear(member, alive("b", 3, 5), 11)), []);
  assert.equal(member.member("b")?.endpoint.ip, "10.0.0.2");
  assert.deepEqual(kinds(hear(member, alive("b", 3, 6), 12)), ["updated"]);
});

test("a rumour of ourselves at an old address is refuted when nobody answers there", () => {
  const member = machine();
  hear(member, alive("b", 2));
  const [ping] = sent(hear(member, { ...alive("me", 9, 50) }, 10), at(9));
  assert.ok(ping?.type === "ping" && ping.node === "me");
  const outputs = tickUntil(member, 600);
  assert.ok(outputs.some((output) => output.type === "incarnation" && output.value === 51));
  assert.deepEqual(kinds(outputs), []);
});

test("the higher of two living twins yields, and has its name back when the other is gone", () => {
  const member = machine();
  const [ping] = sent(hear(member, { ...alive("me", 0, 50) }, 10), at(0));
  assert.ok(ping?.type === "ping");
  const answer = (seq: number, nowMs: number) =>
    hear(member, { type: "ack", seq, payload: new Uint8Array() }, nowMs, at(0));
  const told = answer(ping.seq, 11);
  assert.deepEqual(kinds(told), ["conflict"]);
  assert.deepEqual([member.hasYielded, member.rival], [true, at(0)]);
  // It answers the first look, and no later one.
  let looks = 0;
  for (let nowMs = member.nextTickMs(); nowMs < 60_000; nowMs = member.nextTickMs()) {
    const outputs = member.handle({ type: "tick" }, nowMs);
    const look = sent(outputs, at(0)).find((message) => message.type === "ping");
    if (look?.type !== "ping") continue;
    looks++;
    if (looks === 1) assert.deepEqual(kinds(answer(look.seq, nowMs + 1)), [], "told once");
  }
  assert.deepEqual([looks, member.hasYielded, member.rival], [4, false, undefined]);
});

test("our own question that comes back to us shows that the other address is ours", () => {
  const member = machine();
  const [ping] = sent(hear(member, { ...alive("me", 9, 50) }), at(9));
  assert.ok(ping?.type === "ping");
  const outputs = hear(member, ping, 1, at(9));
  assert.ok(outputs.some((output) => output.type === "incarnation" && output.value === 51));
  assert.deepEqual(kinds(outputs), []);
});

test("no packet is above the budget, and a broadcast that fits into none is refused", () => {
  const member = machine({ packetBudget: 400 });
  for (let number = 2; number < 60; number++)
    hear(member, alive(`n${number}`, number, 1, new Uint8Array(90)));
  const packets = tickUntil(member, 5_000).filter((output) => output.type === "packet");
  assert.ok(packets.length > 0);
  for (const { messages } of packets) {
    const bytes = messages.reduce((sum, message) => sum + messageSize(message) + 2, 2);
    assert.ok(bytes <= 400, `${bytes} bytes`);
  }
  const input = { type: "broadcast", key: "k", payload: new Uint8Array(400) } as const;
  assert.throws(() => member.handle(input, 5_000), RangeError);
});

test("an announcement raises the incarnation, and the same again does not", () => {
  const member = machine();
  const input = { type: "announce", meta: Uint8Array.of(1), endpoint: ME } as const;
  const outputs = member.handle(input, 0);
  assert.deepEqual(outputs.filter(({ type }) => type === "incarnation").at(-1), {
    type: "incarnation",
    value: 2,
  });
  assert.deepEqual(member.handle(input, 1), []);
});

test("news that nobody is left to hear keeps no machine busy", () => {
  const member = machine();
  hear(member, alive("b", 2));
  hear(member, { type: "dead", incarnation: 1, node: "b", from: "c" }, 10);
  member.handle({ type: "remove", name: "b" }, 20);
  member.handle({ type: "broadcast", key: "k", payload: Uint8Array.of(1) }, 20);
  let ticks = 0;
  while (member.nextTickMs() < 60_000 && ticks < 1_000) {
    member.handle({ type: "tick" }, member.nextTickMs());
    ticks++;
  }
  assert.ok(ticks < 200, `${ticks} ticks`);
});
