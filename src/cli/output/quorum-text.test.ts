import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exampleQuorum } from "../../api/fake-cluster.ts";
import type { QuorumView } from "../../api/quorum-schemas.ts";
import { nodesText, quorumText } from "./quorum-text.ts";

/** Golden texts are in this zone, whatever the machine's. */
process.env["TZ"] = "UTC";

function golden(name: string): string {
  return readFileSync(join(import.meta.dirname, "golden", `${name}.golden`), "utf8");
}

/** Two nodes of which the other is gone. */
const cutOff: QuorumView = {
  ...exampleQuorum(),
  ...{ configVersion: null, nodes: 1, ringId: null, quorate: false, flags: [] },
  ...{ expectedVotes: 2, highestExpected: 2, totalVotes: 1, quorum: 2 },
  members: [{ id: 2, name: "hp2", address: null, votes: 1, isLocal: true }],
};

test("four nodes are shown as the seed shows them, to the column", () => {
  assert.equal(`${quorumText(exampleQuorum())}\n`, golden("quorum-four"));
});

test("without a majority the needed votes say that activity is blocked, and no flag is shown", () => {
  assert.equal(`${quorumText(cutOff)}\n`, golden("quorum-cut-off"));
});

test("nodes have decimal ids and names, and those without a vote have 0", () => {
  const [first, second, ...others] = exampleQuorum().members;
  assert.ok(first && second);
  const voteless = { ...first, id: 65_535, name: "h", votes: 0 };
  const view = { ...exampleQuorum(), members: [first, second, ...others, voteless] };
  assert.equal(`${nodesText(view)}\n`, golden("nodes"));
});

test("a witness has a column and a row as a QDevice has, alive and with a vote or not", () => {
  const [first, second] = exampleQuorum().members;
  assert.ok(first && second);
  const two = { ...exampleQuorum(), members: [first, second], flags: ["Quorate", "Qdevice"] };
  const shown = (witness: QuorumView["witness"]): string =>
    quorumText({ ...two, witness })
      .split("\n")
      .slice(-4)
      .join("\n");
  assert.equal(
    shown({ votes: 1, isAlive: true }),
    [
      "    Nodeid      Votes    Qdevice Name",
      "0x00000001          1    A,V,NMW 192.168.15.91",
      "0x00000002          1    A,V,NMW 192.168.15.92 (local)",
      "0x00000000          1            Qdevice",
    ].join("\n"),
  );
  assert.match(shown({ votes: 0, isAlive: false }), / 1 {2}NA,NV,NMW 192.168.15.91\n/);
});

test("a day of one digit is padded as asctime does", () => {
  const text = quorumText({ ...exampleQuorum(), date: "2021-09-04T01:02:03.000Z" });
  assert.match(text, /^Date: {13}Sat Sep {2}4 01:02:03 2021$/m);
});
