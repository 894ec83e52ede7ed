import assert from "node:assert/strict";
import { test } from "node:test";
import { nextMark, type StoreMark } from "../../store/store-mark.ts";
import type { VoterRecord } from "../../store/voter-record.ts";
import { memberOf, rosterWith } from "../status/status-facts.ts";
import { StoreRivals } from "./store-rivals.ts";

const FIRST = { id: "3f1c0d2b9a8e7f65", generation: 1 };
const EARLY = nextMark([FIRST], 1_000_000, "aaaaaaaa");
const LATE = nextMark([FIRST], 2_000_000, "aaaaaaaa");

/** Whether who holds to `own` gives way to a node that is heard with `heard`. */
function givesWay(own: Partial<VoterRecord> & { store: VoterRecord["store"] }, heard: StoreMark) {
  const roster = rosterWith(memberOf({ id: 2 }));
  const peers = roster.peers.map((peer) => ({
    ...peer,
    metadata: { ...peer.metadata, store: heard },
  }));
  const rivals = new StoreRivals({
    self: 1,
    place: {
      record: { version: 1, ...own },
      copy: async () => undefined,
      link: async () => undefined,
    },
    membership: { roster: () => ({ ...roster, peers }) },
    ask: async () => ({ hasGrown: true, isQuorate: true }),
  });
  return rivals.heir !== undefined;
}

test("of two stores that were made anew on two sides of a split the earlier one gives way, on whichever side", () => {
  const named = (mark: StoreMark) => ({ store: { ...mark, name: "prod" } });
  assert.equal(givesWay(named(EARLY), LATE), true);
  assert.equal(givesWay(named(LATE), EARLY), false);
  assert.equal(givesWay(named(LATE), LATE), false);
});

test("one that is not done when another one is gives way to that, whatever the clocks said; to a former generation it does not", () => {
  const filling = { store: { ...LATE, name: "prod" }, filling: true };
  assert.equal(givesWay(filling, EARLY), true);
  assert.equal(givesWay(filling, FIRST), false);
  assert.equal(givesWay(filling, LATE), false);
  assert.equal(givesWay(filling, { id: "0123456789abcdef", generation: 2 }), false);
});
