import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressCheckSchema } from "../../api/address-schemas.ts";
import { addressPlan } from "../../ipam/address-plan.ts";
import { parseIpv4 } from "../../values/ipv4.ts";
import { factsWith } from "../status/status-facts.ts";
import { addressCheck, type CheckFacts, holesOf } from "./address-check.ts";

const ip = (text: string): number => parseIpv4(text) ?? 0;
const plan = addressPlan();
const NOW = Date.UTC(2026, 0, 2);

function report(different: Partial<CheckFacts>) {
  const view = {
    ...factsWith({}).addresses,
    segments: {
      dynamic: [
        { start: ip("10.40.0.0"), end: ip("10.42.0.0"), owner: 1 },
        { start: ip("10.42.0.0"), end: ip("10.48.0.0"), owner: 2 },
      ],
      fixed: [{ ...plan.fixed, owner: 1 }],
    },
    entries: [
      { id: 1, addresses: 1, percent: 0, fixedAddresses: 1, free: 0, born: true },
      { id: 2, addresses: 2, percent: 0, fixedAddresses: 0, free: 0, born: true },
      { id: 5, addresses: 0, percent: 0, fixedAddresses: 0, free: 0, born: true },
    ],
  };
  return addressCheck({
    self: 1,
    name: "host1",
    plan,
    leases: [],
    containers: [],
    hasNetwork: true,
    view,
    freed: [],
    wallMs: NOW,
    heard: [2],
    nameOf: () => "host2",
    ...different,
  });
}

const container = (name: string, address: string) => ({
  id: `id-${name}`,
  name,
  running: true,
  error: "",
  restartPolicy: "no",
  address: ip(address),
});

test("each lease has its container, reason and age, and is what the rings and Docker make of it", () => {
  const lease = (address: string, ageS: number, fixed = false) => {
    return { address: ip(address), sinceMs: NOW - ageS * 1000, fixed };
  };
  const found = report({
    leases: [
      lease("10.40.0.3", 61),
      lease("10.40.0.2", 59),
      lease("10.42.0.1", 5),
      lease("10.33.0.7", 90, true),
    ],
    containers: [container("web", "10.33.0.7"), container("old", "10.42.0.1")],
  });
  assert.deepEqual(addressCheckSchema.parse(found), found);
  assert.deepEqual(
    found.leases.map((each) => [each.address, each.state, each.reason, each.container?.name]),
    [
      ["10.32.0.1", "held", "gateway", undefined],
      ["10.33.0.7", "held", "fixed", "web"],
      ["10.40.0.2", "unclaimed", "dynamic", undefined],
      ["10.40.0.3", "leak", "dynamic", undefined],
      ["10.42.0.1", "elsewhere", "dynamic", "old"],
    ],
  );
  assert.deepEqual(
    found.leases.map(({ ageSeconds }) => ageSeconds),
    [null, 90, 59, 61, 5],
  );
});

test("owners out of reach are named, those without addresses not, and a clock set back makes nothing older than nothing", () => {
  assert.deepEqual(report({}).unreachable, []);
  const { unreachable, leases } = report({
    heard: [],
    leases: [{ address: ip("10.40.0.9"), sinceMs: NOW + 9000, fixed: false }],
    hasNetwork: false,
  });
  assert.deepEqual(unreachable, [{ id: 2, name: "host2", addresses: 2, fixedAddresses: 0 }]);
  assert.equal(leases[0]?.ageSeconds, 0);
});

test("holes and segments together are the whole range, and no two overlap", () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { minLength: 2 });
  fc.assert(
    fc.property(cuts, fc.func(fc.boolean()), (points, isKnown) => {
      const sorted = points.toSorted((a, b) => a - b);
      const parts = sorted
        .slice(1)
        .map((end, index) => ({ start: sorted[index] ?? 0, end, owner: 1 }));
      const segments = parts.filter(({ start }) => isKnown(start));
      const range = { start: 0, end: 51 };
      const covered = [...segments, ...holesOf(range, segments)].sort((a, b) => a.start - b.start);
      assert.equal(covered[0]?.start, 0);
      assert.equal(covered.at(-1)?.end, 51);
      for (const [index, part] of covered.slice(1).entries()) {
        assert.equal(part.start, covered[index]?.end);
      }
    }),
  );
});
