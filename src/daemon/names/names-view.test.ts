import assert from "node:assert/strict";
import { test } from "node:test";
import { addressPlan } from "../../ipam/address-plan.ts";
import type { MemberView } from "../../membership/machine.ts";
import type { NameEntry } from "../../names/name-set.ts";
import { formatIpv4 } from "../../values/ipv4.ts";
import { memberName, memberOf, rosterWith } from "../status/status-facts.ts";
import { namesOf } from "./names-view.ts";

const entries: Readonly<Record<string, readonly NameEntry[]>> = Object.fromEntries(
  [1, 2, 3].map((id) => [
    memberName({ id }),
    [{ container: `${id}`.repeat(12), address: 0x0a280000 + id, names: [`c${id}`, "web"] }],
  ]),
);

const shown = (...others: readonly MemberView[]): string[] =>
  namesOf(rosterWith(...others), addressPlan(), (owner) => entries[owner] ?? []).map(
    ({ name, address, node, isMain }) =>
      `${name} ${formatIpv4(address)} ${node.id}${isMain ? "" : " alias"}`,
  );

test("nodes in reach have their names and those of their containers, sorted", () => {
  assert.deepEqual(shown(memberOf({ id: 2 }), memberOf({ id: 3, state: "suspect" })), [
    "1.node 10.32.0.1 1 alias",
    "2.node 10.32.0.2 2 alias",
    "3.node 10.32.0.3 3 alias",
    "c1 10.40.0.1 1",
    "c2 10.40.0.2 2",
    "c3 10.40.0.3 3",
    "host1.node 10.32.0.1 1",
    "host2.node 10.32.0.2 2",
    "host3.node 10.32.0.3 3",
    "web 10.40.0.1 1 alias",
    "web 10.40.0.2 2 alias",
    "web 10.40.0.3 3 alias",
  ]);
});

test("who is dead, left, or a twin that lost its id, has no names", () => {
  const alone = shown();
  assert.deepEqual(shown(memberOf({ id: 2, state: "dead" })), alone);
  assert.deepEqual(shown(memberOf({ id: 2, state: "left" })), alone);
  const twins = shown(memberOf({ id: 2, binding: 1 }), memberOf({ id: 2, key: "00000001" }));
  assert.ok(!twins.some((line) => line.startsWith("c2")));
});
