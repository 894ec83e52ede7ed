import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS } from "../../errors.ts";
import type { Departure } from "../../membership/departures.ts";
import { rosterOf } from "../membership/roster.ts";
import { nodeWarnings, type WarningFacts } from "./node-warnings.ts";
import { memberOf, rosterWith } from "./status-facts.ts";

const warningsOf = (different: Partial<WarningFacts>) =>
  nodeWarnings({
    id: 1,
    roster: rosterWith(),
    conflicts: 0,
    pluginConnected: true,
    problems: [],
    ...different,
  });

/** Without the hints, which are the table's. */
function sentencesOf(different: Partial<WarningFacts>): string[] {
  return warningsOf(different).map(({ code, message, hint }) => {
    assert.equal(hint, ERRORS[code as keyof typeof ERRORS].hint);
    return `${code}: ${message}`;
  });
}

test("a node with nothing wrong has no warning", () => {
  assert.deepEqual(warningsOf({ problems: [undefined, undefined] }), []);
});

test("a node whose id another one took says where that is and what follows", () => {
  assert.deepEqual(sentencesOf({ roster: rosterWith(memberOf({ id: 1, key: "00000000" })) }), [
    "NODE_TWIN: another node (host1, 192.168.48.11) has the id 1: cloned disk? This node gives no addresses",
  ]);
});

test("a node that won over its twin, or sees twins of others, names each loser", () => {
  const roster = rosterWith(
    memberOf({ id: 1, key: "ffffffff" }),
    memberOf({ id: 2 }),
    memberOf({ id: 2, key: "ffffffff" }),
  );
  assert.deepEqual(sentencesOf({ roster }), [
    "NODE_TWIN: a second node (host1, 192.168.48.11) has the id 1: cloned disk?",
    "NODE_TWIN: a second node (host2, 192.168.48.12) has the id 2: cloned disk?",
  ]);
});

test("a node launched otherwise is told with where it is, on both sides; one that is gone is not", () => {
  const clear = memberOf({ id: 2, encryption: "none" });
  const elsewhere = memberOf({ id: 3, subnet: "10.64.0.0/16" });
  const end = "until then neither gives the other anything";
  assert.deepEqual(sentencesOf({ roster: rosterWith(clear, elsewhere) }), [
    `CLUSTER_DIFFERS: the node there was launched with --no-encryption, this one encrypts: launch all alike (host2, 192.168.48.12); ${end}`,
    `CLUSTER_DIFFERS: the node there has the subnet 10.64.0.0/16, this one 10.32.0.0/12: launch all with the same (host3, 192.168.48.13); ${end}`,
  ]);
  const self = memberOf({ id: 1, encryption: "none" });
  const roster = rosterOf([self, memberOf({ id: 2 })], self.name);
  assert.deepEqual(sentencesOf({ roster }), [
    `CLUSTER_DIFFERS: the node there encrypts, this one was launched with --no-encryption: launch all alike (host2, 192.168.48.12); ${end}`,
  ]);
  const gone = memberOf({ id: 2, encryption: "none", state: "dead" });
  assert.deepEqual(sentencesOf({ roster: rosterWith(gone) }), []);
});

test("contradicting records are counted", () => {
  assert.deepEqual(
    [...sentencesOf({ conflicts: 1 }), ...sentencesOf({ conflicts: 2 })],
    [
      "IPAM_ADDRESS_TWICE: an address record of another node contradicted this node's",
      "IPAM_ADDRESS_TWICE: 2 address records of other nodes contradicted this node's",
    ],
  );
});

test("a node that is gone for good is told so, and of no records that contradict its own", () => {
  const self = memberOf({ id: 1 });
  const departures = new Map<string, Departure>([
    [self.name, { id: 1, keyFingerprint: "11111111", cause: "taken-over", atSeconds: 9 }],
  ]);
  const roster = rosterOf([self], self.name, departures);
  const [sentence, ...others] = sentencesOf({ roster, conflicts: 2 });
  assert.match(sentence ?? "", /^NODE_DEPARTED: this node's addresses were taken over/);
  assert.deepEqual(others, []);
});

test("a plugin that is away is told", () => {
  assert.deepEqual(sentencesOf({ pluginConnected: false }), [
    "IPAM_PLUGIN_UNREACHABLE: the address plugin does not answer",
  ]);
});

test("a loop's problem keeps its code; one without a code of the table is told whole", () => {
  const problems = [
    "STATE_UNWRITABLE: ring.json cannot be written: no space\nleft",
    undefined,
    "NO_SUCH_CODE: something",
    "Error: socket hang up",
  ];
  assert.deepEqual(sentencesOf({ problems }), [
    "STATE_UNWRITABLE: ring.json cannot be written: no space\nleft",
    "INTERNAL: NO_SUCH_CODE: something",
    "INTERNAL: Error: socket hang up",
  ]);
});
