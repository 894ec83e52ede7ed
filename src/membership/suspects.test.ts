import assert from "node:assert/strict";
import { test } from "node:test";
import {
  alive,
  at,
  hear,
  kinds,
  machine,
  packets,
  remote,
  sent,
  tickUntil,
} from "./lone-machine.ts";
import type { Membership } from "./machine.ts";

test("a suspicion confirmed by others ends in death sooner, an alive above it ends it", () => {
  const until = (confirmers: readonly string[]) => {
    const member = machine();
    for (let number = 2; number < 10; number++) hear(member, alive(`n${number}`, number));
    const accusation = { type: "suspect", incarnation: 1, node: "n2" } as const;
    for (const from of ["n3", ...confirmers]) hear(member, { ...accusation, from });
    return member;
  };
  const died = (member: Membership) => {
    let atMs = Number.NaN;
    while (Number.isNaN(atMs)) {
      const nowMs = member.nextTickMs();
      if (kinds(member.handle({ type: "tick" }, nowMs)).includes("dead")) atMs = nowMs;
    }
    return atMs;
  };
  assert.equal(died(until([])), 24_000);
  assert.equal(died(until(["n4", "n4"])), 11_381);
  assert.equal(died(until(["n4", "n5"])), 4_000);
  const member = until(["n4"]);
  const outputs = hear(member, alive("n2", 2, 2), 10);
  assert.deepEqual(kinds(outputs), ["alive-again"]);
  assert.equal(member.member("n2")?.state, "alive");
});

test("a stale alive of a dead member is answered with the accusation, once a second", () => {
  const member = machine();
  hear(member, alive("b", 2, 100));
  hear(member, { type: "dead", incarnation: 100, node: "b", from: "c" });
  const first = sent(hear(member, alive("b", 2, 1), 1_000), at(2));
  assert.ok(first.some((message) => message.type === "dead" && message.incarnation === 100));
  assert.equal(member.member("b")?.state, "dead");
  const second = hear(member, alive("b", 2, 1), 1_001);
  assert.equal(sent(second, at(2)).filter(({ type }) => type === "dead").length, 0);
});

test("after our own leave others hear it, we accuse nobody and do not come back", () => {
  const member = machine();
  for (const number of [2, 3, 4]) hear(member, alive(`n${number}`, number));
  const outputs = member.handle({ type: "leave" }, 100);
  for (const number of [2, 3, 4]) {
    assert.ok(sent(outputs, at(number)).some(({ type }) => type === "dead"));
  }
  const later = tickUntil(member, 60_000);
  assert.ok(sent(later).every(({ type }) => type === "dead" || type === "alive"));
  assert.equal(member.queued, 0);
  hear(member, { type: "dead", incarnation: 9, node: "me", from: "n2" }, 60_000);
  assert.equal(member.localMembers()[0]?.state, "left");
});

test("after a standstill nobody is accused for answers that wait unread", () => {
  const member = machine();
  hear(member, alive("b", 2));
  tickUntil(member, 5_000, (output) => sent([output]).some(({ type }) => type === "ping"));
  assert.equal(member.member("b")?.state, "alive");
  const outputs = member.handle({ type: "tick" }, 600_000);
  assert.ok(!kinds(outputs).includes("suspect"));
  assert.ok(member.awareness > 0);
});

test("old news of a suspect is answered with what we know, once a second", () => {
  const member = machine();
  for (const [name, number] of [
    ["b", 2],
    ["c", 3],
  ] as const)
    hear(member, alive(name, number, 4));
  const stale = { type: "suspect", incarnation: 3, node: "b", from: "c" } as const;
  const [told] = sent(hear(member, stale, 9_000, at(3)), at(3));
  assert.ok(told?.type === "alive" && told.node === "b" && told.incarnation === 4);
  assert.equal(packets(hear(member, stale, 9_100, at(3)), at(3)), 0);
  hear(member, { type: "dead", incarnation: 4, node: "b", from: "c" }, 20_000, at(3));
  const late = hear(member, { ...stale, incarnation: 4 }, 21_000, at(3));
  assert.ok(sent(late, at(3)).some(({ type }) => type === "dead"));
});

test("whoever still holds a suspicion after three seconds asks two others", () => {
  const member = machine({ timing: { probeIntervalMs: 3_600_000, pushPullIntervalMs: 3_600_000 } });
  for (let number = 2; number < 10; number++) hear(member, alive(`n${number}`, number));
  tickUntil(member, 60_000);
  const suspect = { type: "suspect", incarnation: 1, node: "n2", from: "n3" } as const;
  hear(member, suspect, 60_000);
  // Until the accusation itself was passed on often enough.
  tickUntil(member, 62_900);
  const asked = tickUntil(member, 63_100).filter(({ type }) => type === "packet");
  assert.equal(asked.length, 2);
  assert.ok(sent(asked).every(({ type }) => type === "suspect"));
});

test("an accusation above the one that we hold begins a new suspicion", () => {
  const member = machine({ timing: { probeIntervalMs: 1_000, pushPullIntervalMs: 3_600_000 } });
  for (let number = 2; number < 10; number++) hear(member, alive(`n${number}`, number));
  const suspect = { type: "suspect", incarnation: 1, node: "n2" } as const;
  for (const from of ["n3", "n4", "n5"]) hear(member, { ...suspect, from }, 0);
  hear(member, { ...suspect, incarnation: 2, from: "n3" }, 3_900);
  assert.ok(!kinds(tickUntil(member, 7_800)).includes("dead"), "dies of what it refuted");
});

test("whoever asks about a suspect says who accused it first: to have heard of it confirms nothing", () => {
  const member = machine({ timing: { probeIntervalMs: 3_600_000, pushPullIntervalMs: 3_600_000 } });
  for (let number = 2; number < 10; number++) hear(member, alive(`n${number}`, number));
  hear(member, { type: "suspect", incarnation: 1, node: "n2", from: "n3" }, 10);
  const said = sent(tickUntil(member, 10_000)).filter(({ type }) => type === "suspect");
  assert.ok(said.length >= 8, `${said.length}`);
  for (const message of said) assert.equal(message.type === "suspect" && message.from, "n3");
});

test("nobody is asked about suspects when there are many", () => {
  const asked = (suspects: number) => {
    const timing = { probeIntervalMs: 3_600_000, pushPullIntervalMs: 3_600_000 };
    const member = machine({ timing });
    for (let number = 2; number < 60; number++) hear(member, alive(`n${number}`, number));
    tickUntil(member, 60_000);
    for (let number = 2; number < 2 + suspects; number++) {
      hear(member, { type: "suspect", incarnation: 1, node: `n${number}`, from: "n59" }, 60_000);
    }
    tickUntil(member, 62_900);
    return tickUntil(member, 63_100).filter(({ type }) => type === "packet").length;
  };
  assert.equal(asked(8), 16);
  assert.ok(asked(9) <= 3, "gossip only");
  assert.ok(asked(40) <= 3, "gossip only");
});

test("after our own leave no suspicion of ours goes on, and none begins", () => {
  const member = machine();
  for (let number = 2; number < 8; number++) hear(member, alive(`n${number}`, number));
  hear(member, { type: "suspect", incarnation: 1, node: "n2", from: "n3" }, 10);
  member.handle({ type: "leave" }, 100);
  assert.equal(member.held.suspicions, 0);
  hear(member, { type: "suspect", incarnation: 1, node: "n4", from: "n3" }, 200);
  const later = sent(tickUntil(member, 120_000));
  assert.ok(later.every((message) => message.type !== "dead" || message.node === "me"));
  assert.ok(!later.some((message) => message.type === "suspect" && message.from === "me"));
});

test("an answer to old news of a suspect takes nothing from the answer to an old life of it", () => {
  const member = machine();
  hear(member, alive("b", 2, 5));
  hear(member, alive("c", 3));
  hear(member, { type: "dead", incarnation: 5, node: "b", from: "c" }, 1_000, at(3));
  hear(member, { type: "suspect", incarnation: 4, node: "b", from: "d" }, 5_000, at(4));
  const told = sent(hear(member, alive("b", 2, 1), 5_500), at(2));
  assert.ok(told.some(({ type }) => type === "dead"));
});

test("who joins still accuses a buried name that its first push/pull brings back", () => {
  const member = machine();
  hear(member, alive("b", 2, 5));
  member.handle({ type: "remove", name: "b" }, 10);
  const state = {
    join: true,
    members: [remote("b", 2, "alive"), remote("c", 3, "alive")],
    userState: new Uint8Array(),
  };
  const input = { type: "remote-state", from: at(3), state, isAnswer: true } as const;
  const outputs = [...member.handle(input, 2_000), ...tickUntil(member, 2_900)];
  const gossip = outputs.filter((output) => output.type === "packet" && output.to.ip !== at(2).ip);
  assert.ok(sent(gossip).some((message) => message.type === "dead" && message.node === "b"));
});
