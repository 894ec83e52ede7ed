/** Every scenario with 256 members under all invariants, checked at each event, and again with fewer members and more seeds. */
import { test } from "node:test";
import { play } from "./play.ts";
import { SCENARIOS } from "./scenarios.ts";

for (const [scenario, { title }] of Object.entries(SCENARIOS)) {
  test(`256 members agree after ${scenario}: ${title}`, () => {
    play({ scenario, members: 256, seed: 1 });
  });

  test(`32 members agree after ${scenario} with six seeds`, () => {
    for (let seed = 1; seed <= 6; seed++) play({ scenario, members: 32, seed });
  });
}

test("1,000 members agree after kills", () => {
  play({ scenario: "kills", members: 1_000, seed: 1 });
});
