/** The machine's behaviour point by point; as transcripts it is in transcript.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { addressPlan } from "./address-plan.ts";
import { Addresses, type PersistedRings } from "./addresses.ts";
import type { IpamInput, RingEntry } from "./step.ts";
import { ip, plan, showOutput, transcript } from "./transcript.ts";

/** A machine, fed by hand. */
function machine(self: number, persisted?: PersistedRings) {
  const addresses = new Addresses({ self, plan, random: () => 0 }, persisted);
  let nowMs = 0;
  return {
    addresses,
    at: (ms: number) => {
      nowMs = ms;
    },
    feed: (input: IpamInput) => addresses.handle(input, nowMs).map(showOutput),
    raw: (input: IpamInput) => addresses.handle(input, nowMs),
  };
}

function bornMachine(self = 1) {
  const one = machine(self);
  one.feed({ type: "settled" });
  one.at(1500);
  one.feed({ type: "usage", free: 131072, active: 0 });
  return one;
}

const start = plan.dynamic.start;
const entry = (from: number, size: number, owner: number, version: number): RingEntry => {
  return { start: start + from, end: start + from + size, owner, version, free: 0 };
};

test("outputs persist first, then speak, and set the space before anything that needs it", () => {
  const one = machine(1);
  const types = one.raw({ type: "settled" }).map((output) => output.type);
  assert.deepEqual(types, ["persist", "broadcast", "space"]);
});

test("a restarted owner is ready at once, without settling", () => {
  const { addresses } = bornMachine();
  const again = machine(1, structuredClone(addresses.persisted()));
  assert.equal(again.addresses.nextTickMs(), 0);
  const space = again.feed({ type: "tick" });
  assert.deepEqual(space, ["space ready: 10.33.0.0-10.34.191.255 10.40.0.0/15"]);
});

test("rings of another node or subnet are refused", () => {
  const { addresses } = bornMachine();
  const damaged = (error: unknown) => isHansaError(error, "STATE_DAMAGED");
  assert.throws(() => machine(2, addresses.persisted()), damaged);
  const options = { self: 1, plan: addressPlan("10.0.0.0/12"), random: () => 0 };
  assert.throws(() => new Addresses(options, addresses.persisted()), damaged);
});

test("a repeated ask gets the same answer, and the plugin is asked once", () => {
  const one = bornMachine();
  const ask: IpamInput = { type: "message", from: 5, message: { type: "ask-space", request: 9 } };
  const [cede] = one.raw(ask);
  assert.equal(cede?.type, "cede");
  assert.deepEqual(one.raw(ask), []);
  const ranges = [{ start: start + 65536, end: start + 131072 }];
  const request = cede?.type === "cede" ? cede.request : 0;
  const sent = one.raw({ type: "ceded", request, ranges }).find((o) => o.type === "send");
  assert.deepEqual(one.raw(ask), [sent]);
  assert.deepEqual(one.raw({ type: "ceded", request, ranges }), []);
});

test("when the space is set while the plugin cedes, it is asked again and its old answer ignored", () => {
  const one = bornMachine();
  const [first] = one.raw({ type: "message", from: 5, message: { type: "ask-space", request: 9 } });
  const more = { ...entry(131072, 256, 1, 1), free: 256 };
  const types = one.raw({ type: "entries", entries: [more] }).map((output) => output.type);
  assert.deepEqual(types, ["persist", "broadcast", "space", "cede"]);
  const old = first?.type === "cede" ? first.request : 0;
  const ranges = [{ start: start + 65536, end: start + 131072 }];
  assert.deepEqual(one.raw({ type: "ceded", request: old, ranges }), []);
});

test("a plugin that does not answer makes the donor refuse and set the space again", () => {
  const one = bornMachine();
  one.feed({ type: "message", from: 5, message: { type: "ask-space", request: 9 } });
  one.feed({ type: "message", from: 6, message: { type: "ask-space", request: 9 } });
  one.at(one.addresses.nextTickMs());
  const outputs = one.feed({ type: "tick" });
  assert.deepEqual(outputs.slice(0, 2), ["send 5: refused not-ready", "send 6: refused not-ready"]);
  assert.match(outputs[2] ?? "", /^space ready/);
});

test("what the plugin ceded in vain is given back to it", () => {
  const one = bornMachine();
  const ask = { type: "ask-address", request: 9, address: ip("10.33.0.9") } as const;
  const [cede] = one.raw({ type: "message", from: 5, message: ask });
  const request = cede?.type === "cede" ? cede.request : 0;
  const elsewhere = [{ start: ip("10.33.0.10"), end: ip("10.33.0.12") }];
  assert.deepEqual(one.feed({ type: "ceded", request, ranges: elsewhere }), [
    "send 5: refused in-use",
    "space ready: 10.33.0.0-10.34.191.255 10.40.0.0/15",
  ]);
});

test("a node with nothing refuses; one that is not born yet says not-ready", () => {
  const five = machine(5);
  five.feed({ type: "settled" });
  const ask: IpamInput = { type: "message", from: 1, message: { type: "ask-space", request: 1 } };
  assert.deepEqual(five.feed(ask), ["send 1: refused none-free"]);
  const two = machine(2);
  two.feed({ type: "tick" });
  assert.deepEqual(two.feed(ask), ["send 1: refused not-ready"]);
});

test("a fenced node has no ready space, gives nothing, writes nothing; unfenced it goes on", () => {
  const one = bornMachine();
  one.feed({ type: "message", from: 5, message: { type: "ask-space", request: 1 } });
  const fenced = one.feed({ type: "fenced", fenced: true });
  assert.deepEqual(fenced.slice(0, 2), ["persist", "send 5: refused not-ready"]);
  assert.match(fenced[2] ?? "", /^space not ready/);
  const ask: IpamInput = { type: "message", from: 5, message: { type: "ask-space", request: 2 } };
  assert.deepEqual(one.feed(ask), ["send 5: refused not-ready"]);
  assert.deepEqual(one.feed({ type: "usage", free: 10, active: 0 }), []);
  assert.deepEqual(one.feed({ type: "claim", request: 1, address: undefined, deadlineMs: 9000 }), [
    "claim-done not-ready",
  ]);
  const again = machine(1, one.addresses.persisted());
  assert.match(again.feed({ type: "tick" })[0] ?? "", /^space not ready/, "also after a restart");
  const [saved, space] = one.feed({ type: "fenced", fenced: false });
  assert.equal(saved, "persist");
  assert.match(space ?? "", /^space ready/);
  const two = machine(2);
  two.feed({ type: "fenced", fenced: true });
  assert.deepEqual(two.feed({ type: "settled" }), [], "no birth while fenced");
});

test("the next donor is asked after 1 s, all again after 5 s", () => {
  const six = machine(6);
  six.feed({ type: "settled" });
  const asked = (outputs: readonly string[]) => outputs.filter((o) => o.startsWith("send"));
  assert.deepEqual(asked(six.feed({ type: "reachable", nodes: [1, 2] })), ["send 1: ask-space"]);
  assert.equal(six.addresses.nextTickMs(), 1000);
  six.at(1000);
  assert.deepEqual(asked(six.feed({ type: "tick" })), ["send 2: ask-space"]);
  six.at(2000);
  assert.deepEqual(asked(six.feed({ type: "tick" })), []);
  assert.equal(six.addresses.nextTickMs(), 5000);
  six.at(3000);
  const more = six.feed({ type: "reachable", nodes: [1, 2, 3] });
  assert.deepEqual(asked(more), ["send 3: ask-space"], "a newcomer is asked at once");
  six.at(5000);
  assert.deepEqual(asked(six.feed({ type: "tick" })), ["send 1: ask-space"]);
});

test("a refusal passes the question on without waiting", () => {
  const six = machine(6);
  six.feed({ type: "settled" });
  const [ask] = six.raw({ type: "reachable", nodes: [1, 2] });
  const request = ask?.type === "send" && "request" in ask.message ? ask.message.request : 0;
  const message = { type: "refused", request, reason: "none-free" } as const;
  assert.deepEqual(six.feed({ type: "message", from: 1, message }), ["send 2: ask-space"]);
});

test("two poor nodes do not pass the same space to and fro", () => {
  const one = bornMachine();
  one.feed({ type: "entries", entries: [{ ...entry(131072, 131072, 2, 2), free: 60 }] });
  one.feed({ type: "reachable", nodes: [2] });
  assert.equal(one.feed({ type: "usage", free: 40, active: 131032 }).join().includes("ask"), false);
  assert.equal(one.feed({ type: "usage", free: 20, active: 131052 }).join().includes("ask"), true);
});

test("the free hint follows the plugin's count in steps, not each container", () => {
  const one = bornMachine();
  let writes = 0;
  for (let free = 131071; free >= 0; free--) {
    const outputs = one.raw({ type: "usage", free, active: 131072 - free });
    if (outputs.some((output) => output.type === "broadcast")) writes++;
  }
  assert.ok(writes > 20 && writes < 110, `${writes} writes for 131072 containers`);
});

test("a count of before the space was set makes nobody ask for more", () => {
  const one = machine(1);
  one.feed({ type: "reachable", nodes: [2] });
  one.feed({ type: "usage", free: 0, active: 0 });
  one.feed({ type: "settled" });
  assert.deepEqual(one.feed({ type: "usage", free: 0, active: 0 }), []);
  one.at(60_000);
  assert.deepEqual(one.feed({ type: "usage", free: 0, active: 0 }), []);
  assert.equal(one.addresses.view().free, 131072);
});

test("four seeds that start together keep a quarter each", () => {
  const { cluster } = transcript([1, 2, 3, 4]);
  cluster.heal();
  for (const id of [4, 2, 3, 1]) {
    cluster.settle(id);
    cluster.run(700);
  }
  cluster.run(5000);
  for (const { addresses } of cluster.hosts.values()) {
    assert.deepEqual(
      addresses.view().entries.map((e) => e.percent),
      [25, 25, 25, 25],
    );
  }
});

test("a claim of any address is answered when space comes, or when its deadline passes", () => {
  const five = machine(5);
  five.feed({ type: "settled" });
  five.feed({ type: "claim", request: 1, address: undefined, deadlineMs: 500 });
  five.feed({ type: "claim", request: 2, address: undefined, deadlineMs: 9000 });
  assert.equal(five.addresses.nextTickMs(), 500);
  five.at(500);
  assert.deepEqual(five.feed({ type: "tick" }), ["claim-done not-ready"]);
  const entries = [{ ...entry(65536, 65536, 5, 1), free: 65536 }];
  assert.deepEqual(
    five.feed({ type: "message", from: 1, message: { type: "granted", request: 3, entries } }),
    [
      "persist",
      "broadcast 10.41.0.0/16 is 5's v1 free 65536",
      "space ready: 10.41.0.0/16",
      "claim-done granted",
    ],
  );
  five.at(5000);
  five.feed({ type: "usage", free: 0, active: 65536 });
  five.feed({ type: "claim", request: 3, address: undefined, deadlineMs: 6000 });
  five.at(6000);
  assert.ok(five.feed({ type: "tick" }).includes("claim-done no-space"));
});

test("claims beyond the table's bound are refused at once", () => {
  const five = machine(5);
  five.feed({ type: "settled" });
  const claim = (request: number) =>
    five.feed({ type: "claim", request, address: undefined, deadlineMs: 9000 });
  for (let i = 0; i < 1024; i++) claim(i);
  assert.deepEqual(claim(2000), ["claim-done not-ready"]);
});

test("a hand-over cedes everything, then grants it to the heir", () => {
  const { cluster } = transcript([1, 2]);
  cluster.heal();
  for (const id of [1, 2]) cluster.settle(id);
  cluster.run(50);
  cluster.feed(cluster.host(1), { type: "hand-over", heir: 2 });
  cluster.run(50);
  const view = cluster.host(2).addresses.view();
  assert.deepEqual(
    view.entries.map((e) => [e.id, e.percent]),
    [
      [2, 50],
      [3, 25],
      [4, 25],
    ],
  );
  assert.equal(cluster.host(1).addresses.view().ready, false);
  assert.equal(cluster.host(1).book.counts(0).free, 0);
});

test("a vanished node's space is taken over; one that we hear is not", () => {
  const one = bornMachine();
  one.feed({ type: "reachable", nodes: [3] });
  assert.deepEqual(one.feed({ type: "take-over", from: 3 }), []);
  const outputs = one.feed({ type: "take-over", from: 2 });
  assert.equal(outputs[0], "persist");
  assert.match(outputs[1] ?? "", /10.42.0.0\/15 is 1's v100/);
  assert.match(outputs[2] ?? "", /^space ready: .*10.40.0.0\/14$/);
});

test("conflict: a living node that was taken over loses the space and says so once", () => {
  const two = bornMachine(2);
  const taken = { ...entry(131072, 131072, 1, 101), free: 0 };
  const outputs = two.feed({ type: "entries", entries: [taken] });
  assert.equal(outputs[0], "persist");
  assert.equal(outputs[1], "conflict with 1: 10.42.0.0/15");
  assert.match(outputs[3] ?? "", /^space ready: 10.34.192.0-10.36.127.255$/);
  assert.deepEqual(two.feed({ type: "entries", entries: [taken] }), []);
  assert.equal(two.addresses.view().conflicts, 1);
});

test("conflict: a restored disk or a second birth meets what its former self wrote", () => {
  const one = bornMachine();
  const former = [entry(0, 65536, 1, 2), entry(65536, 65536, 5, 1)];
  const outputs = one.feed({ type: "entries", entries: former });
  assert.deepEqual(outputs.slice(0, 3), [
    "persist",
    "conflict with 1: 10.40.0.0/16",
    "conflict with 5: 10.41.0.0/16",
  ]);
});

test("conflict: two writers of one version, as two nodes of one id are", () => {
  const three = bornMachine(3);
  three.feed({ type: "entries", entries: [entry(0, 65536, 1, 2), entry(65536, 65536, 5, 1)] });
  const twin = [entry(65536, 65536, 6, 1)];
  const outputs = three.feed({ type: "entries", entries: twin });
  assert.deepEqual(outputs, ["conflict with 6: 10.41.0.0/16"]);
  assert.deepEqual(three.feed({ type: "entries", entries: twin }), [], "reported once");
});

test("a node that comes back empty learns that its birth is over and is given space anew", () => {
  const one = machine(1);
  one.feed({ type: "entries", entries: [entry(0, 131072, 2, 101)] });
  const outputs = one.feed({ type: "settled" }).join("\n");
  assert.equal(/10.40/.test(outputs), false, outputs);
  assert.equal(one.feed({ type: "reachable", nodes: [2] }).at(-1), "send 2: ask-space");
});

test("who was given enough asks again after 5 s, and at once only in urgent need", () => {
  const six = machine(6);
  six.feed({ type: "settled" });
  const [ask] = six.raw({ type: "reachable", nodes: [1, 2] });
  const request = ask?.type === "send" && "request" in ask.message ? ask.message.request : 0;
  const given = { ...entry(0, 100, 6, 9), free: 100 };
  six.feed({ type: "message", from: 1, message: { type: "granted", request, entries: [given] } });
  const asked = (outputs: readonly string[]) => outputs.filter((o) => o.startsWith("send"));
  six.at(2000);
  assert.deepEqual(asked(six.feed({ type: "usage", free: 60, active: 40 })), [], "little is left");
  six.at(5000);
  assert.equal(asked(six.feed({ type: "tick" })).length, 1);
});
