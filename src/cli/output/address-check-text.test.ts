import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleCheck } from "../../api/example-answers.ts";
import { addressCheckNotes, ageText, leasesText } from "./address-check-text.ts";

test("leases are a table of address, container, reason, age and state", () => {
  assert.equal(
    leasesText(exampleCheck()),
    `ADDRESS    CONTAINER        REASON   AGE      STATE
10.32.0.1  (bridge hansa0)  gateway  -        held
10.33.0.5  web              fixed    4 m 5 s  held
10.40.0.2  -                dynamic  4 m 5 s  leak: no container has it`,
  );
});

test("leaks are wrong, an owner out of reach is only said, and what was freed is named", () => {
  const found = addressCheckNotes(exampleCheck());
  assert.equal(found.isWrong, true);
  assert.match(
    found.lines.join("\n"),
    /1 address is leaked[\s\S]*--repair[\s\S]*node 3 owns 131072 addresses .*never heard here/,
  );
  const leases = exampleCheck().leases.slice(0, 2);
  const mended = addressCheckNotes({ ...exampleCheck(), leases, freed: ["10.40.0.2"] });
  assert.equal(mended.isWrong, false);
  assert.equal(mended.lines[0], "freed: 10.40.0.2");
  const [absent] = exampleCheck().unreachable;
  assert.ok(absent);
  const lost = { ...exampleCheck(), unreachable: [{ ...absent, name: "host3" }] };
  assert.match(addressCheckNotes(lost).lines.join("\n"), /node 3 \(host3\) owns .*is not heard$/m);
  const hole = { first: "10.40.0.0", last: "10.40.0.9", addresses: 10 };
  assert.equal(addressCheckNotes({ ...exampleCheck(), leases, holes: [hole] }).isWrong, true);
});

test("an age has at most two units", () => {
  const ages = [0, 59, 60, 3_599, 3_600, 90_061, 864_000];
  assert.deepEqual(ages.map(ageText), [
    "0 s",
    "59 s",
    "1 m",
    "59 m 59 s",
    "1 h",
    "1 d 1 h",
    "10 d",
  ]);
});
