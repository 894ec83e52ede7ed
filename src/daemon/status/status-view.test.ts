/** The status of typical moments as a golden file (golden/status.json; UPDATE_GOLDEN=1 writes it anew), and points by themselves. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { type Connection, statusSchema } from "../../api/status-schema.ts";
import type { ConnectionRow } from "../../membership/connection-rows.ts";
import { CANNOT_CONNECT_TO_OURSELF, type TargetView } from "../../membership/dialer.ts";
import type { MemberView } from "../../membership/machine.ts";
import { factsWith, memberName, memberOf, NO_TUNNEL, PROVED, rosterWith } from "./status-facts.ts";
import { type StatusFacts, statusOf } from "./status-view.ts";

const GOLDEN = new URL("./golden/status.json", import.meta.url);

function target(text: string, different: Partial<TargetView> = {}): TargetView {
  return {
    target: text,
    state: "retrying",
    error: undefined,
    retryAtMs: undefined,
    attempts: 1,
    member: undefined,
    ...different,
  };
}

/** The row of node `id`, with tunnels to `peers`. */
function rowOf(id: number, peers: readonly number[]): readonly [string, ConnectionRow] {
  const owner = memberName({ id });
  const connections = peers.map((peer) => ({
    peer,
    keyFingerprint: `${peer}`.padStart(8, "0"),
    state: "established" as const,
    rttMs: 0.5,
    mtu: 1420,
    backend: "wireguard" as const,
  }));
  return [owner, { owner, boot: 1, version: 1, connections }];
}

const plain = { ...memberOf({ id: 9 }), name: "plain", meta: Buffer.from("x") };
const ip = (id: number): string => `192.168.48.${10 + id}`;
const satisfied = (text: string, member: MemberView): TargetView =>
  target(text, { state: "satisfied", member: member.name });
const dead = memberOf({ id: 2, state: "dead" });
const lostDial = {
  error: `no answer from ${ip(2)}:6783/tcp`,
  retryAtMs: 4_000,
  member: dead.name,
};
const two = memberOf({ id: 2 });
const three = memberOf({ id: 3 });

const MOMENTS: Readonly<Record<string, Partial<StatusFacts>>> = {
  "lone node": {},
  "before Docker and addresses": {
    engineId: undefined,
    addresses: {
      ...factsWith({}).addresses,
      ready: false,
      entries: [
        { id: 1, addresses: 0, percent: 0, fixedAddresses: 0, free: 0, born: false, active: 0 },
      ],
    },
  },
  "full mesh of 3": {
    roster: rosterWith(two, three),
    targets: [satisfied("host2", two)],
    rows: new Map([rowOf(1, [2, 3]), rowOf(2, [1, 3]), rowOf(3, [1, 2])]),
    tunnel: () => PROVED,
    hasDialled: (address) => address === ip(2),
  },
  split: {
    roster: rosterWith(memberOf({ id: 2, state: "suspect" }), memberOf({ id: 3, state: "dead" })),
    remembered: [
      {
        id: 4,
        name: "host4",
        keyFingerprint: "00000004",
        wireguardKey: "",
        endpoint: { ip: ip(4), port: 6784 },
      },
    ],
    rows: new Map([rowOf(1, []), rowOf(2, [1, 3]), rowOf(3, [1, 2])]),
    tunnel: (id) => (id === 2 ? PROVED : NO_TUNNEL),
  },
  "tunnels that are not proved": {
    roster: rosterWith(two, three),
    tunnel: (id) => ({ ...NO_TUNNEL, smallOnly: id === 3 }),
  },
  "wrong token": { rejections: [{ ip: ip(7), port: 50_312, count: 3, lastMs: 1 }] },
  "targets that lead nowhere": {
    targets: [
      target("host1", { state: "failed", error: CANNOT_CONNECT_TO_OURSELF }),
      target("no-such-host", {
        error: "the name no-such-host cannot be resolved",
        retryAtMs: 2_000,
      }),
      target("192.168.48.99:7000", { state: "connecting" }),
      target("[fd00::7]", { error: "[fd00::7]:6783 is unreachable", retryAtMs: 3_500 }),
      target("a b", { state: "failed", error: "neither a host name nor an address" }),
    ],
  },
  "a target whose node is known but dead": {
    roster: rosterWith(dead),
    targets: [target("host2", lostDial), target(ip(2), lostDial)],
  },
  "a twin of another node": {
    roster: rosterWith(two, memberOf({ id: 2, key: "ffffffff" })),
    targets: [satisfied("host2", two), satisfied("clone2", memberOf({ id: 2, key: "ffffffff" }))],
    tunnel: () => PROVED,
  },
  "a twin that has our id": {
    roster: rosterWith(memberOf({ id: 1, key: "00000000" })),
    targets: [satisfied("clone1", memberOf({ id: 1, key: "00000000" }))],
  },
  "foreign members": {
    roster: rosterWith(plain, memberOf({ id: 4, subnet: "10.64.0.0/16" })),
    targets: [
      satisfied("plain", plain),
      satisfied("host4", memberOf({ id: 4, subnet: "10.64.0.0/16" })),
    ],
  },
};

const clear = memberOf({ id: 4, encryption: "none" });
const UNENCRYPTED: Readonly<Record<string, Partial<StatusFacts>>> = {
  "an unencrypted cluster": {
    node: { ...factsWith({}).node, encryption: "none" },
    roster: rosterWith(two),
    rows: new Map([rowOf(1, [2]), rowOf(2, [1])]),
    tunnel: () => PROVED,
  },
  "an unencrypted node that came": { roster: rosterWith(clear) },
  "an unencrypted node that was dialled": {
    roster: rosterWith(clear),
    targets: [satisfied("host4", clear)],
  },
};
Object.assign(MOMENTS, UNENCRYPTED);

test("the documents of typical moments are as recorded", () => {
  const actual = Object.fromEntries(
    Object.entries(MOMENTS).map(([name, facts]) => [name, statusOf(factsWith(facts))]),
  );
  const text = `${JSON.stringify(actual, null, 2)}\n`;
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(GOLDEN, text);
  assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(GOLDEN, "utf8")));
});

test("each document is one that the API promises", () => {
  for (const facts of Object.values(MOMENTS))
    statusSchema.strict().parse(statusOf(factsWith(facts)));
});

test("a row says what is wrong unless it is established or dialled for the first time", () => {
  for (const [name, facts] of Object.entries(MOMENTS)) {
    for (const { state, error, rttMs, mtu, retryAt } of statusOf(factsWith(facts)).connections) {
      const isGood = state === "established";
      if (state !== "connecting") assert.equal(error === null, isGood, name);
      assert.deepEqual([rttMs !== null, mtu !== null], [isGood, isGood], name);
      if (isGood || state === "failed") assert.equal(retryAt, null, name);
    }
  }
});

const rowsOf = (facts: Partial<StatusFacts>): Connection[] =>
  statusOf(factsWith(facts)).connections;

test("a node that is lost has one row, however many targets name it, with the dial's error and time", () => {
  const [row, ...others] = rowsOf(MOMENTS["a target whose node is known but dead"] ?? {});
  assert.deepEqual(others, []);
  assert.equal(row?.peer?.id, 2);
  assert.equal(row.error, lostDial.error);
  assert.equal(row.retryAt, "2026-01-01T00:00:04.000Z");
});

test("a lost node that no target names shows the dial of a known peer", () => {
  const { name, endpoint } = dead;
  const known = { ...target(""), ...lostDial, name, endpoint, lastAliveMs: 0 };
  const [row] = rowsOf({ roster: rosterWith(dead), knownPeers: [known] });
  assert.deepEqual([row?.error, row?.retryAt], [lostDial.error, "2026-01-01T00:00:04.000Z"]);
});

test("a node that left has no row, and is looked for when a target names it", () => {
  const left = memberOf({ id: 2, state: "left" });
  const roster = rosterWith(left);
  assert.deepEqual(rowsOf({ roster }), []);
  const [row] = rowsOf({ roster, targets: [target("host2", { ...lostDial, member: left.name })] });
  assert.deepEqual([row?.address, row?.state, row?.peer], ["host2:6783", "retrying", null]);
});
