import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ConnectionRow,
  decodeRow,
  encodeRow,
  mergeRow,
  mesh,
  type RowConnection,
} from "./connection-rows.ts";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const fingerprint = u32.map((value) => value.toString(16).padStart(8, "0"));
const connection: fc.Arbitrary<RowConnection> = fc.record(
  {
    peer: fc.integer({ min: 1, max: 65535 }),
    keyFingerprint: fingerprint,
    state: fc.constantFrom("established" as const, "pending" as const),
    rttMs: fc.option(
      fc.integer({ min: 1, max: 65535 }).map((tenths) => tenths / 10),
      { nil: undefined },
    ),
    mtu: fc.integer({ min: 0, max: 65535 }),
    backend: fc.constantFrom("none", "wireguard", "vxlan", "relay"),
    via: fc.integer({ min: 1, max: 65535 }),
  },
  {
    noNullPrototype: true,
    requiredKeys: ["peer", "keyFingerprint", "state", "rttMs", "mtu", "backend"],
  },
);
const row: fc.Arbitrary<ConnectionRow> = fc.record(
  {
    owner: fc
      .tuple(fc.integer({ min: 1, max: 65535 }), fingerprint)
      .map(([id, key]) => `${id}-${key}`),
    boot: u32,
    version: u32,
    connections: fc.array(connection, { maxLength: 20 }),
  },
  { noNullPrototype: true },
);

function link(peer: number, state: RowConnection["state"], more: Partial<RowConnection> = {}) {
  const base = { rttMs: undefined, mtu: 0, backend: "wireguard" } as const;
  return { ...base, peer, keyFingerprint: "00000000", state, ...more };
}

function rowOf(id: number, version: number, ...connections: RowConnection[]): ConnectionRow {
  return { owner: `${id}-00000000`, boot: 1, version, connections };
}

test("a row survives encoding, also with something appended", () => {
  fc.assert(
    fc.property(row, fc.uint8Array({ maxLength: 9 }), (one, extra) => {
      assert.deepEqual(decodeRow(encodeRow(one)), one);
      assert.deepEqual(decodeRow(Uint8Array.from([...encodeRow(one), ...extra])), one);
    }),
  );
});

test("garbage and cut rows are refused without throwing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeRow(bytes);
      decodeRow(Uint8Array.from([1, ...bytes]));
    }),
  );
  const bytes = encodeRow(rowOf(1, 1, link(2, "pending")));
  const beforeRelay = bytes.length - 2;
  for (let length = 0; length < bytes.length; length++) {
    if (length === beforeRelay) continue;
    assert.equal(decodeRow(bytes.slice(0, length)), undefined);
  }
});

test("a row of a version before the relay is read: it ends behind its connections", () => {
  const one = rowOf(1, 1, link(2, "pending"));
  assert.deepEqual(decodeRow(encodeRow(one).slice(0, -2)), one);
});

test("an edge says through which member it goes when either end says so", () => {
  const [edge] = mesh([
    rowOf(1, 1, link(2, "established", { backend: "relay", via: 7 })),
    rowOf(2, 1, link(1, "established")),
  ]);
  assert.deepEqual([edge?.backend, edge?.via], ["relay", 7]);
});

test("a row is cut to the bytes that there are", () => {
  const many = Array.from({ length: 200 }, (_, index) => link(index + 1, "established"));
  const bytes = encodeRow(rowOf(1, 1, ...many), 1_000);
  assert.ok(bytes.length <= 1_000 && bytes.length > 1_000 - 11);
  assert.equal(decodeRow(bytes)?.connections.length, 89);
});

test("the higher version wins, whatever the order of arrival", () => {
  const [old, young] = [rowOf(1, 1), rowOf(1, 2, link(2, "pending"))];
  for (const order of [
    [old, young],
    [young, old],
  ]) {
    const rows = new Map<string, ConnectionRow>();
    for (const one of order) mergeRow(rows, one);
    assert.equal(rows.get("1-00000000"), young);
  }
  assert.equal(mergeRow(new Map([[old.owner, old]]), old), false);
});

test("after a restart the row of the life that the metadata names wins over a higher version", () => {
  const old = rowOf(1, 900);
  const young = { ...rowOf(1, 1), boot: 2 };
  const rows = new Map([[old.owner, old]]);
  assert.equal(mergeRow(rows, young, 2), true);
  assert.equal(mergeRow(rows, old, 2), false);
});

test("an edge is established only when both ends say so, and is listed once", () => {
  const rows = [
    rowOf(1, 1, link(2, "established", { rttMs: 1, mtu: 1420 }), link(3, "established")),
    rowOf(2, 1, link(1, "established", { rttMs: 2, mtu: 1400 })),
    rowOf(3, 1, link(1, "pending")),
    rowOf(4, 1, link(1, "established")),
  ];
  const edges = mesh(rows).map(({ from, to, state, rttMs, mtu }) => [from, to, state, rttMs, mtu]);
  assert.deepEqual(edges, [
    ["1-00000000", "2-00000000", "established", 2, 1400],
    ["1-00000000", "3-00000000", "pending", undefined, 0],
    ["1-00000000", "4-00000000", "pending", undefined, 0],
  ]);
});
