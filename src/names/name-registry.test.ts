import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type NameNews, NameRegistry } from "./name-registry.ts";
import { decodeEntries, decodeNameSet, encodeEntries, type NameEntry, SHARDS } from "./name-set.ts";

const A = "1-0000000a";
const B = "2-0000000b";

class Stage {
  /** What metadata says; members not in it are unknown. */
  readonly boots = new Map<string, number | "left">();

  registry(name: string, boot = 1): NameRegistry {
    this.boots.set(name, boot);
    return new NameRegistry({ name, boot, boots: (owner) => this.boots.get(owner) ?? "unknown" });
  }
}

function entry(index: number, name = `web-${index}`): NameEntry {
  const container = ((index * 2654435761) % 2 ** 32).toString(16).padStart(8, "0").padEnd(12, "0");
  return { container, address: 0x0a280000 + index, names: [name] };
}

const sorted = (entries: readonly NameEntry[]): NameEntry[] =>
  entries.toSorted((a, b) => (a.container < b.container ? -1 : 1));

const tell = (to: NameRegistry, news: readonly NameNews[]): NameNews[] =>
  news.flatMap(({ bytes }) => to.take(bytes));

test("names go by news, once, and what is taken out goes as well", () => {
  const stage = new Stage();
  const [a, b] = [stage.registry(A), stage.registry(B)];
  const first = a.setOwn([entry(1), entry(2)]);
  assert.equal(first.length, 2);
  assert.equal(tell(b, first).length, 2, "news is passed on");
  assert.equal(tell(b, first).length, 0, "and then it is none");
  assert.deepEqual(sorted(b.entriesOf(A)), sorted([entry(1), entry(2)]));
  assert.deepEqual(a.setOwn([entry(2), entry(1)]), []);
  tell(b, a.setOwn([entry(2)]));
  assert.deepEqual(b.entriesOf(A), [entry(2)]);
  tell(b, first);
  assert.deepEqual(b.entriesOf(A), [entry(2)], "old news does not bring it back");
});

test("any order, loss and repetition of messages ends in the owner's own names after one push/pull", () => {
  const actions = fc.array(
    fc.record({
      names: fc.uniqueArray(fc.nat(30), { maxLength: 12 }),
      deliveries: fc.array(fc.nat(200), { maxLength: 8 }),
    }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(actions, (steps) => {
      const stage = new Stage();
      const [a, b, c] = [stage.registry(A), stage.registry(B), stage.registry("3-0000000c")];
      const sent: Uint8Array[] = [];
      let last: readonly NameEntry[] = [];
      for (const { names, deliveries } of steps) {
        last = names.map((index) => entry(index, `n${index}-${names.length}`));
        sent.push(...a.setOwn(last).map(({ bytes }) => bytes));
        for (const pick of deliveries) {
          const bytes = sent[pick % Math.max(1, sent.length)];
          if (bytes) sent.push(...b.take(bytes).map((each) => each.bytes));
        }
      }
      a.setOwn(last);
      for (const bytes of b.encoded()) c.take(bytes);
      for (const bytes of a.encoded()) c.take(bytes);
      for (const bytes of a.encoded()) b.take(bytes);
      assert.deepEqual(sorted(c.entriesOf(A)), sorted(last));
      assert.deepEqual(sorted(b.entriesOf(A)), sorted(last));
    }),
    { numRuns: 200 },
  );
});

test("a new life of the owner counts once all of it is known, until then the former one does", () => {
  const stage = new Stage();
  const [a, b] = [stage.registry(A, 1), stage.registry(B)];
  tell(b, a.setOwn([entry(1), entry(2), entry(3)]));
  const again = stage.registry(A, 2);
  b.reach(new Set([A]));
  assert.equal(b.entriesOf(A).length, 3, "its daemon just started again");
  const [first, second] = again.setOwn([entry(1), entry(2)]);
  assert.ok(first && second);
  tell(b, [first]);
  assert.equal(b.entriesOf(A).length, 3);
  tell(b, [second]);
  assert.deepEqual(sorted(b.entriesOf(A)), sorted([entry(1), entry(2)]));
  tell(b, a.setOwn([entry(9)]));
  assert.equal(b.entriesOf(A).length, 2, "the former life says no more");
});

test("a new life without containers takes the former one's names away", () => {
  const stage = new Stage();
  const [a, b] = [stage.registry(A, 1), stage.registry(B)];
  tell(b, a.setOwn([entry(1)]));
  const again = stage.registry(A, 2);
  const news = again.setOwn([]);
  assert.equal(news.length, 1);
  assert.equal(tell(b, news).length, 1, "and that is passed on");
  assert.deepEqual(b.entriesOf(A), []);
});

test("an owner that was out of reach is believed again in the same life, and in a new one only by its own words", () => {
  const stage = new Stage();
  const [a, b] = [stage.registry(A, 1), stage.registry(B)];
  tell(b, a.setOwn([entry(1)]));
  b.reach(new Set());
  b.reach(new Set([A]));
  assert.equal(b.entriesOf(A).length, 1, "a split that healed");
  b.reach(new Set());
  stage.boots.set(A, 2);
  b.reach(new Set([A]));
  assert.deepEqual(b.entriesOf(A), [], "a host that was off");
});

test("news that comes before the owner's new metadata is kept for when it comes", () => {
  const stage = new Stage();
  const [a, b] = [stage.registry(A, 1), stage.registry(B)];
  tell(b, a.setOwn([entry(1)]));
  const again = stage.registry(A, 2);
  stage.boots.set(A, 1);
  tell(b, again.setOwn([entry(2)]));
  assert.deepEqual(b.entriesOf(A), [entry(1)]);
  stage.boots.set(A, 2);
  assert.deepEqual(b.entriesOf(A), [entry(2)]);
});

test("names of who left are dropped and not taken again; strangers are few and do not stay", () => {
  const stage = new Stage();
  const [a, b] = [stage.registry(A), stage.registry(B)];
  const news = a.setOwn([entry(1)]);
  tell(b, news);
  stage.boots.set(A, "left");
  b.drop(A);
  tell(b, news);
  assert.deepEqual(b.encoded().length + b.entriesOf(A).length, 0);
  const other = new Stage();
  let taken = 0;
  for (let id = 1; id <= 400; id++) {
    const name = `${id}-${id.toString(16).padStart(8, "0")}`;
    taken += tell(b, other.registry(name).setOwn([entry(1)])).length;
  }
  assert.equal(taken, 256);
  b.dropStrangers();
  assert.equal(tell(b, other.registry("999-000003e7").setOwn([entry(1)])).length, 1);
});

test("5,000 containers on 50 nodes: each change fits a packet, all of them are some 200 KiB", () => {
  const stage = new Stage();
  const nodes = Array.from({ length: 50 }, (_, index) =>
    stage.registry(`${index + 1}-${(index + 1).toString(16).padStart(8, "0")}`),
  );
  const reader = stage.registry("60-0000003c");
  for (const [index, node] of nodes.entries()) {
    const own = Array.from({ length: 100 }, (_, at) =>
      entry(index * 100 + at, `shop-webserver-${index * 100 + at}`),
    );
    for (const { bytes } of node.setOwn(own)) assert.ok(bytes.length < 1_100, `${bytes.length}`);
    for (const bytes of node.encoded()) reader.take(bytes);
  }
  const bytes = reader.encoded().reduce((sum, each) => sum + each.length, 0);
  assert.ok(bytes < 250_000, `${bytes} bytes`);
  assert.equal(reader.encoded().length, 50);
  const big = Array.from({ length: 2_000 }, (_, at) => entry(at, `shop-webserver-${at}`));
  for (const news of stage.registry("61-0000003d").setOwn(big)) {
    assert.ok(news.bytes.length < 1_100, `2,000 containers on one node: ${news.bytes.length}`);
  }
});

test("hostile bytes decode to nothing and never throw; what decodes is within bounds", () => {
  const stage = new Stage();
  const b = stage.registry(B);
  const good = stage.registry(A).setOwn([entry(1), entry(2)]);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 5 }),
      (bytes, changes) => {
        decodeNameSet(bytes);
        b.take(bytes);
        for (const each of decodeEntries(bytes) ?? []) {
          assert.deepEqual(decodeEntries(encodeEntries([each])), [each]);
        }
        const changed = Uint8Array.from(good[0]?.bytes ?? []);
        for (const [at, value] of changes) changed[at % changed.length] = value;
        b.take(changed);
        const set = decodeNameSet(changed);
        if (set) assert.ok(set.shards.length <= SHARDS);
      },
    ),
    { numRuns: 500 },
  );
});
