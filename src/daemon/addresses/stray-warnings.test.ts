import assert from "node:assert/strict";
import { test } from "node:test";
import { memberName, memberOf, rosterWith } from "../status/status-facts.ts";
import { straySentences } from "./stray-warnings.ts";

const facts = {
  roster: rosterWith(memberOf({ id: 2 }), memberOf({ id: 3, state: "dead" })),
  remembered: [],
  segments: { fixed: [], dynamic: [{ start: 0, end: 10, owner: 3 }] },
};
const [one, two] = [memberName({ id: 1 }), memberName({ id: 2 })];

test("an address that two containers hold names both, one that is another's names its owner", () => {
  assert.deepEqual(
    straySentences({
      ...facts,
      strays: [
        { address: 5, container: "web", holder: one },
        { address: 20, container: "old", holder: "9-000000bb" },
        { address: 2, container: "db", holder: two },
        { address: 5, container: "api", holder: two },
      ],
    }),
    [
      "IPAM_ADDRESS_TWICE: container db on host2 holds 0.0.0.2, which belongs to node 3 (host3)",
      "IPAM_ADDRESS_TWICE: 0.0.0.5 is held twice: by container web on host1 and by container api on host2",
      "IPAM_ADDRESS_TWICE: container old on node 9-000000bb holds 0.0.0.20, which belongs to no node",
    ],
  );
});

test("of many the rest is counted", () => {
  const strays = [...Array(30).keys()].map((address) => {
    return { address, container: "c", holder: one };
  });
  const sentences = straySentences({ ...facts, strays });
  assert.equal(sentences.length, 9);
  assert.match(sentences[8] ?? "", /22 more/);
});
