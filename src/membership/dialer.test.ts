import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seeded } from "../values/seeded-random.ts";
import { backOffMs } from "./back-off.ts";
import { Dialer, type DialerMember } from "./dialer.ts";
import { type DialerState, readDialerState } from "./dialer-state.ts";

const HOUR = 3_600_000;

function dialer(state?: DialerState): Dialer {
  const options = { defaultPort: 6783, random: seeded(1) };
  return new Dialer(state === undefined ? options : { ...options, state }, 0);
}

function member(name: string, ip: string, state: DialerMember["state"] = "alive"): DialerMember {
  return { name, endpoint: { ip, port: 6783 }, state };
}

const target = (text: string) => ({ kind: "target", target: text }) as const;
const failed = { result: "failed", error: "connection refused" } as const;

test("targets are dialled at once, with the default port where none is given", () => {
  const machine = dialer();
  machine.connect(["host1", "10.0.0.2:7000"], 0);
  assert.deepEqual(
    machine.due(0).map(({ host, port }) => [host, port]),
    [
      ["host1", 6783],
      ["10.0.0.2", 7000],
    ],
  );
  assert.deepEqual(machine.due(0), [], "one attempt at a time");
});

test("a failed dial waits 2 s, growing by half, within 50 % and never above 10 s", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, random) => {
        const base = Math.min(10_000, 2_000 * 1.5 ** (failures - 1));
        const wait = backOffMs(failures, random);
        assert.ok(wait >= base / 2 && wait <= Math.min(10_000, base * 1.5));
      },
    ),
  );
});

test("an unreachable target is retried for ever and says why", () => {
  const machine = dialer();
  machine.connect(["nowhere"], 0);
  let nowMs = 0;
  for (let attempt = 1; attempt <= 30; attempt++) {
    assert.equal(machine.due(nowMs).length, 1);
    machine.outcome(target("nowhere"), { result: "failed", error: "no such host" }, nowMs);
    const [view] = machine.targets();
    assert.equal(view?.state, "retrying");
    assert.equal(view?.error, "no such host");
    assert.equal(view?.attempts, attempt);
    assert.equal(view?.retryAtMs, machine.nextTickMs());
    assert.ok(machine.nextTickMs() - nowMs <= 10_000);
    assert.deepEqual(machine.due(machine.nextTickMs() - 1), []);
    nowMs = machine.nextTickMs();
  }
});

test("to connect again dials at once", () => {
  const machine = dialer();
  machine.connect(["host1"], 0);
  machine.due(0);
  machine.outcome(target("host1"), failed, 0);
  assert.deepEqual(machine.due(1), []);
  machine.connect(["host1"], 1);
  assert.equal(machine.due(1).length, 1);
});

test("ourselves fail for good, found by the dial or by the address", () => {
  const machine = dialer();
  machine.setOurselves([{ ip: "10.0.0.1", port: 6783 }]);
  machine.connect(["me", "10.0.0.1"], 0);
  assert.deepEqual(
    machine.due(0).map(({ host }) => host),
    ["me"],
  );
  machine.outcome(target("me"), { result: "ourself" }, 5);
  for (const view of machine.targets()) {
    assert.equal(view.state, "failed");
    assert.equal(view.error, "cannot connect to ourself");
    assert.equal(view.retryAtMs, undefined);
  }
  machine.heal(1e9);
  assert.deepEqual(machine.due(1e9), []);
  assert.equal(machine.nextTickMs(), Number.POSITIVE_INFINITY);
});

test("a target whose member is alive is satisfied and not dialled, by address, resolved name or contact", () => {
  const machine = dialer();
  machine.connect(["10.0.0.2", "named", "alias", "10.0.0.2:7000"], 0);
  machine.resolved("named", ["10.0.0.3"]);
  machine.setMembers([member("2-aaaaaaaa", "10.0.0.2"), member("3-aaaaaaaa", "10.0.0.3")], 0, 0);
  assert.deepEqual(
    machine.due(0).map(({ key }) => key),
    [target("alias"), target("10.0.0.2:7000")],
  );
  machine.outcome(target("alias"), { result: "contact", member: "2-aaaaaaaa" }, 1);
  assert.deepEqual(
    machine.targets().map(({ state }) => state),
    ["satisfied", "satisfied", "satisfied", "connecting"],
  );
});

test("when the member of a target dies the target is dialled at once, and not the peer as well", () => {
  const machine = dialer();
  machine.connect(["10.0.0.2"], 0);
  machine.setMembers([member("2-aaaaaaaa", "10.0.0.2")], 0, 0);
  assert.deepEqual(machine.due(0), []);
  machine.setMembers([member("2-aaaaaaaa", "10.0.0.2", "dead")], 9, 9);
  assert.deepEqual(
    machine.due(9).map(({ key }) => key),
    [target("10.0.0.2")],
  );
});

test("members that are not alive are dialled, those alive or gone by leave are not", () => {
  const machine = dialer();
  machine.setMembers(
    [
      member("2-aaaaaaaa", "10.0.0.2"),
      member("3-aaaaaaaa", "10.0.0.3", "dead"),
      member("4-aaaaaaaa", "10.0.0.4", "suspect"),
      member("5-aaaaaaaa", "10.0.0.5", "left"),
    ],
    0,
    0,
  );
  assert.deepEqual(
    machine.due(0).map(({ key }) => key),
    [{ kind: "peer", name: "3-aaaaaaaa" }],
  );
});

test("one contact across a healed split makes all waiting dials due at once", () => {
  const machine = dialer();
  const dead = ["2", "3", "4"].map((id) => member(`${id}-aaaaaaaa`, `10.0.0.${id}`, "dead"));
  machine.connect(["host9"], 0);
  machine.setMembers(dead, 0, 0);
  let nowMs = 0;
  for (let round = 0; round < 8; round++) {
    for (const { key } of machine.due(nowMs)) machine.outcome(key, failed, nowMs);
    nowMs += 10_000;
  }
  for (const { key } of machine.due(nowMs)) machine.outcome(key, failed, nowMs);
  nowMs += 1_500;
  machine.setMembers([member("2-aaaaaaaa", "10.0.0.2"), ...dead.slice(1)], nowMs, nowMs);
  assert.equal(machine.due(nowMs).length, 3);
});

test("targets and peers survive a restart, peers for 72 hours", () => {
  const before = dialer();
  before.connect(["host1"], 0);
  before.setMembers([member("2-aaaaaaaa", "10.0.0.2")], 0, 100);
  const state = readDialerState(JSON.parse(JSON.stringify(before.state())));
  assert.deepEqual(state, before.state());
  const after = dialer(state);
  after.expire(100 + 71 * HOUR);
  assert.deepEqual(
    after.due(0).map(({ host }) => host),
    ["host1", "10.0.0.2"],
  );
  after.expire(100 + 73 * HOUR);
  assert.deepEqual(after.peers(), []);
});

test("damaged state loses only its damaged entries", () => {
  const good = { name: "2-aaaaaaaa", endpoint: { ip: "10.0.0.2", port: 1 }, lastAliveMs: 5 };
  const text = { targets: ["a", 5], peers: [good, { name: 1 }, null, { ...good, endpoint: 3 }] };
  assert.deepEqual(readDialerState(text), { targets: ["a"], peers: [good] });
  assert.deepEqual(readDialerState(null), { targets: [], peers: [] });
});

test("forget drops the target, and its known peer only when it is not alive", () => {
  const machine = dialer();
  machine.connect(["10.0.0.2", "10.0.0.3"], 0);
  machine.setMembers(
    [member("2-aaaaaaaa", "10.0.0.2"), member("3-aaaaaaaa", "10.0.0.3", "dead")],
    0,
    0,
  );
  machine.forget(["10.0.0.2", "10.0.0.3", "unknown"]);
  assert.deepEqual(machine.targets(), []);
  assert.deepEqual(
    machine.peers().map(({ name }) => name),
    ["2-aaaaaaaa"],
  );
});

test("who was forgotten while dead or suspect stays forgotten until alive again", () => {
  for (const state of ["dead", "suspect"] as const) {
    const machine = dialer();
    machine.connect(["10.0.0.2"], 0);
    machine.setMembers([member("2-aaaaaaaa", "10.0.0.2")], 0, 0);
    machine.setMembers([member("2-aaaaaaaa", "10.0.0.2", state)], 1, 1);
    machine.forget(["10.0.0.2"]);
    machine.setMembers([member("2-aaaaaaaa", "10.0.0.2", "dead")], 2, 2);
    assert.deepEqual(machine.peers(), [], state);
    assert.equal(machine.nextTickMs(), Number.POSITIVE_INFINITY);
    machine.setMembers([member("2-aaaaaaaa", "10.0.0.2")], 3, 3);
    assert.equal(machine.peers().length, 1);
  }
});

test("a peer that expired is not known anew because gossip still names it", () => {
  const machine = dialer();
  machine.setMembers([member("2-aaaaaaaa", "10.0.0.2")], 0, 0);
  machine.setMembers([member("2-aaaaaaaa", "10.0.0.2", "dead")], 1, 1);
  machine.expire(73 * 3_600_000);
  machine.setMembers([member("2-aaaaaaaa", "10.0.0.2", "dead")], 2, 73 * 3_600_000);
  assert.deepEqual(machine.peers(), []);
});

test("replace makes the targets exactly the given ones", () => {
  const machine = dialer();
  machine.connect(["a", "b"], 0);
  machine.replace(["b", "c"], 0);
  assert.deepEqual(
    machine.targets().map((view) => view.target),
    ["b", "c"],
  );
  machine.outcome(target("a"), failed, 1);
});

test("another node at a known peer's address is no contact", () => {
  const machine = dialer();
  machine.setMembers([member("2-aaaaaaaa", "10.0.0.2", "dead")], 0, 0);
  const [dial] = machine.due(0);
  assert.ok(dial);
  machine.outcome(dial.key, { result: "contact", member: "9-bbbbbbbb" }, 0);
  assert.equal(machine.peers()[0]?.state, "retrying");
});

test("a known peer is dialled at its links in turn, the one of before first, and not where a target leads", () => {
  const links = ["10.0.1.2", "10.0.0.2"];
  const peer = { name: "2-00c0ffee", endpoint: { ip: "10.0.0.2", port: 6783 }, links };
  const file = { peers: [{ ...peer, lastAliveMs: 0 }], targets: [] };
  assert.deepEqual(readDialerState(JSON.parse(JSON.stringify(file))), file);
  const machine = dialer(file);
  let nowMs = 0;
  const dialled = Array.from({ length: 4 }, () => {
    nowMs += 20_000;
    const [dial] = machine.due(nowMs);
    assert.ok(dial);
    machine.outcome(dial.key, failed, nowMs);
    return dial.host;
  });
  assert.deepEqual(dialled, ["10.0.1.2", "10.0.0.2", "10.0.1.2", "10.0.0.2"]);
  machine.connect(["10.0.1.2"], nowMs);
  const hosts = machine.due(nowMs + 20_000).map(({ host }) => host);
  assert.deepEqual(hosts, ["10.0.1.2", "10.0.0.2"], "the target's own dial, and the other link");
  machine.setMembers([{ ...member("2-00c0ffee", "10.0.0.2", "dead"), links }], nowMs, 5);
  assert.deepEqual(machine.state().peers[0]?.links, links);
});
