import assert from "node:assert/strict";
import { test } from "node:test";
import { addressPlan } from "../../ipam/address-plan.ts";
import { encodeEntries } from "../../ipam/ring-codec.ts";
import type { RingEntry } from "../../ipam/step.ts";
import { RingRecords } from "./ring-records.ts";

const plan = addressPlan("10.32.0.0/12");
const entries: RingEntry[] = Array.from({ length: 130 }, (_, index) => ({
  start: 0x0a280000 + index * 256,
  end: 0x0a280000 + (index + 1) * 256,
  owner: 1 + (index % 4),
  version: index,
  free: 1,
}));
const records = {
  wireguard: new RingRecords(plan, "wireguard"),
  none: new RingRecords(plan, "none"),
};

test("records are taken by nodes of the same kind only, and those of encrypted clusters go unchanged", () => {
  assert.deepEqual(records.wireguard.encode(entries), encodeEntries(plan, entries));
  for (const own of ["wireguard", "none"] as const) {
    for (const theirs of ["wireguard", "none"] as const) {
      const decoded = records[own].decode(records[theirs].encode(entries));
      assert.equal(decoded.ok ? "taken" : decoded.reason, own === theirs ? "taken" : "format");
    }
  }
  assert.equal(records.none.decode(new Uint8Array(0)).ok, false);
});

test("many records go in messages that fit a packet, each under a key of its own", () => {
  const messages = [...records.none.messages(entries)];
  assert.equal(messages.length, 3);
  assert.equal(new Set(messages.map(({ key }) => key)).size, 3);
  const decoded = messages.flatMap(({ bytes }) => {
    const part = records.none.decode(bytes);
    return part.ok ? part.entries : [];
  });
  assert.deepEqual(
    decoded.map(({ start }) => start),
    entries.map(({ start }) => start),
  );
  assert.ok(messages.every(({ bytes }) => bytes.length < 1_300));
});
