import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../host/clock.ts";
import { silentLogger } from "../host/logger.ts";
import type { Change, Entry } from "./store.ts";
import { StoreMirror } from "./store-mirror.ts";

const PROD = { id: "a1", name: "prod", generation: 1 };
const WALL = new ManualClock().wallMs();

let root: string;
let count = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "hansa-mirror-"));
});
after(() => rm(root, { recursive: true, force: true }));

const newDir = (): string => join(root, `${count++}`);

function load(dir: string, clock = new ManualClock()): Promise<StoreMirror> {
  return StoreMirror.load({ dir, clock, logger: silentLogger, changed: () => undefined });
}

function entry(key: string, revision: bigint, text = `${key}${revision}`): Entry {
  return { key, value: Buffer.from(text), revision, created: revision };
}

const put = (key: string, revision: bigint): Change => ({
  type: "put",
  entry: entry(key, revision),
});

function content(mirror: StoreMirror): string[] {
  return mirror.list("").map(({ key, value }) => `${key}=${Buffer.from(value)}`);
}

test("what was seen is there after a restart: entries, revision, store, and when it was last known to be so", async () => {
  const dir = newDir();
  const before = new ManualClock();
  const first = await load(dir, before);
  assert.equal(first.store, undefined);
  assert.equal(first.ageMs, undefined);
  first.replace(PROD, [entry("a", 1n), entry("b", 2n)], 2n, WALL);
  first.apply([put("c", 3n), { type: "remove", key: "a", revision: 3n }], 3n);
  before.advance(5000);
  first.confirm(3n, WALL + 5000);
  await first.close();
  const clock = new ManualClock();
  clock.advance(65_000);
  const second = await load(dir, clock);
  assert.deepEqual(content(second), ["b=b2", "c=c3"]);
  assert.deepEqual([second.store, second.revision, second.ageMs], [PROD, 3n, 60_000]);
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  for (const name of await readdir(dir)) {
    assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  }
  await second.close();
});

test("what is listed is in the order of the keys' bytes, below the prefix only", async () => {
  const mirror = await load(newDir());
  const keys = ["c/\u{1f600}", "c/b", "d", "c/\uffff", "c", "c/a", "c0"];
  mirror.replace(
    PROD,
    keys.map((key) => entry(key, 1n)),
    1n,
    WALL,
  );
  const listed = (prefix: string): string[] => mirror.list(prefix).map(({ key }) => key);
  assert.deepEqual(listed("c/"), ["c/a", "c/b", "c/\uffff", "c/\u{1f600}"]);
  mirror.apply([put("c/aa", 2n)], 2n);
  assert.deepEqual(listed("c/a"), ["c/a", "c/aa"]);
  assert.equal(listed("").length, 8);
  await mirror.close();
});

test("it never goes back within a generation, and a higher one takes its place", async () => {
  const dir = newDir();
  const mirror = await load(dir);
  const next = { ...PROD, generation: 2 };
  mirror.replace(PROD, [entry("a", 5n)], 5n, WALL);
  assert.equal(mirror.replace(PROD, [], 4n, WALL), false);
  mirror.apply([put("a", 4n)], 4n);
  assert.deepEqual(content(mirror), ["a=a5"]);
  assert.equal(mirror.replace(next, [entry("b", 3n)], 3n, WALL), true);
  assert.equal(mirror.replace(PROD, [entry("a", 9n)], 9n, WALL), false);
  await mirror.close();
  const again = await load(dir);
  assert.deepEqual([content(again), again.revision, again.store], [["b=b3"], 3n, next]);
  await again.close();
});

test("a confirmation counts only where the mirror has what was confirmed", async () => {
  const clock = new ManualClock();
  const mirror = await load(newDir(), clock);
  mirror.replace(PROD, [], 1n, WALL);
  clock.advance(10_000);
  mirror.confirm(2n, WALL + 10_000);
  assert.equal(mirror.ageMs, 10_000);
  mirror.confirm(1n, WALL + 9000);
  assert.equal(mirror.ageMs, 1000);
  await mirror.close();
});

test("changes wait for one another before they are written, and who asks for it has them written at once", async () => {
  const dir = newDir();
  const clock = new ManualClock();
  const mirror = await load(dir, clock);
  mirror.replace(PROD, [entry("a", 1n)], 1n, WALL);
  await mirror.written();
  const size = async () => (await stat(join(dir, "journal"))).size;
  const empty = await size();
  mirror.apply([put("b", 2n)], 2n);
  mirror.apply([put("c", 3n)], 3n);
  assert.deepEqual([content(mirror), await size()], [["a=a1", "b=b2", "c=c3"], empty]);
  await mirror.written();
  const two = await size();
  assert.ok(two > empty);
  mirror.apply([put("d", 4n)], 4n);
  clock.advance(100);
  await mirror.written();
  assert.ok((await size()) > two);
  const again = await load(dir);
  assert.deepEqual([content(again), again.revision], [["a=a1", "b=b2", "c=c3", "d=d4"], 4n]);
  await again.close();
  await mirror.close();
});

test("a change that comes as a write ends is written too", async () => {
  const dir = newDir();
  const clock = new ManualClock();
  await writeFile(dir, "in the way");
  let changed = (): void => undefined;
  const mirror = await StoreMirror.load({
    ...{ dir, clock, logger: silentLogger },
    changed: () => changed(),
  });
  mirror.replace(PROD, [entry("a", 1n)], 1n, WALL);
  await mirror.written();
  assert.ok(mirror.problem);
  await rm(dir);
  // Told between the end of the write and whoever waits for it.
  changed = () => mirror.apply([put("b", 2n)], 2n);
  clock.advance(10_000);
  await mirror.written();
  const again = await load(dir);
  assert.deepEqual(content(again), ["a=a1", "b=b2"]);
  await again.close();
  await mirror.close();
});

test("cut at any byte, or with any bit changed, the journal leaves the store as it was at one revision", async () => {
  const dir = newDir();
  const mirror = await load(dir);
  mirror.replace(PROD, [entry("a", 1n)], 1n, WALL);
  const states = new Map([[1n, content(mirror)]]);
  for (let revision = 2n; revision < 40n; revision++) {
    const key = `k${revision % 7n}`;
    mirror.apply(
      revision % 5n === 0n ? [{ type: "remove", key, revision }] : [put(key, revision)],
      revision,
    );
    states.set(revision, content(mirror));
  }
  await mirror.close();
  const copy = await readFile(join(dir, "copy"));
  const journal = await readFile(join(dir, "journal"));
  await fc.assert(
    fc.asyncProperty(fc.nat(journal.length), fc.nat(7), fc.boolean(), async (at, bit, cuts) => {
      const broken = cuts ? journal.subarray(0, at) : Buffer.from(journal);
      if (!cuts && at < broken.length) broken[at] = (broken[at] ?? 0) ^ (1 << bit);
      await writeFile(join(dir, "copy"), copy);
      await writeFile(join(dir, "journal"), broken);
      const next = await load(dir);
      assert.deepEqual(content(next), states.get(next.revision));
      // What comes now is read again behind what was broken.
      next.apply([put("after", 100n)], 100n);
      const expected = content(next);
      await next.close();
      const last = await load(dir);
      assert.deepEqual([content(last), last.revision], [expected, 100n]);
      await last.close();
    }),
    { numRuns: 60 },
  );
});

test("a copy that is damaged is set aside and begun anew", async () => {
  const dir = newDir();
  const mirror = await load(dir);
  mirror.replace(PROD, [entry("a", 1n)], 1n, WALL);
  await mirror.close();
  await writeFile(join(dir, "copy"), "scribble");
  const next = await load(dir);
  assert.equal(next.store, undefined);
  next.replace(PROD, [entry("a", 1n)], 1n, WALL);
  await next.close();
  assert.deepEqual((await readdir(dir)).toSorted(), ["copy", "copy.damaged", "journal"]);
});

test("a clock that was ahead and is set back makes the copy no younger than it is", async () => {
  const dir = newDir();
  const ahead = await load(dir, new ManualClock(WALL + 86_400_000));
  ahead.replace(PROD, [], 1n, WALL + 86_400_000);
  await ahead.close();
  const clock = new ManualClock();
  const mirror = await load(dir, clock);
  clock.advance(1000);
  mirror.confirm(1n, WALL + 1000);
  clock.advance(36_000_000);
  assert.equal(mirror.ageMs, 36_000_000);
  await mirror.close();
  const later = await load(dir, new ManualClock(WALL + 36_001_000));
  assert.equal(later.ageMs, 36_000_000);
  await later.close();
});

test("a disk that cannot be read costs the copy and not the daemon its start", async () => {
  const dir = newDir();
  await mkdir(join(dir, "copy"), { recursive: true });
  const mirror = await load(dir);
  assert.equal(mirror.store, undefined);
  assert.match(mirror.problem ?? "", /^STATE_DAMAGED: .* cannot be read: EISDIR/);
  mirror.replace(PROD, [entry("a", 1n)], 1n, WALL);
  assert.deepEqual(content(mirror), ["a=a1"]);
  await mirror.close();
});

test("another store's copy is kept once when it is replaced", async () => {
  const dir = newDir();
  const mirror = await load(dir);
  mirror.replace(PROD, [entry("a", 1n)], 1n, WALL);
  await mirror.close();
  const before = await readFile(join(dir, "copy"));
  const next = await load(dir);
  next.replace({ ...PROD, id: "b2" }, [], 1n, WALL);
  await next.close();
  assert.deepEqual(await readFile(join(dir, "copy.former")), before);
});

test("many small changes beside large values cost a few times their bytes, and the journal stays bounded", async () => {
  const dir = newDir();
  const mirror = await load(dir);
  const large = Buffer.alloc(2 ** 20, 7);
  mirror.replace(PROD, [], 1n, WALL);
  let revision = 1n;
  for (let index = 0; index < 12; index++) {
    revision += 1n;
    const value = { key: `large${index % 2}`, value: large, revision, created: revision };
    mirror.apply([{ type: "put", entry: value }], revision);
    for (let small = 0; small < 50; small++) mirror.apply([put("small", ++revision)], revision);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await mirror.close();
  const [copied, appended] = [await stat(join(dir, "copy")), await stat(join(dir, "journal"))];
  assert.ok(appended.size <= Math.max(2 ** 20, copied.size), `${appended.size} ${copied.size}`);
  const next = await load(dir);
  assert.equal(next.revision, revision);
  assert.deepEqual(
    next.list("").map(({ key }) => key),
    ["large0", "large1", "small"],
  );
  await next.close();
});

test("where nothing can be written the mirror goes on in memory and says so, until it can", async () => {
  const dir = newDir();
  const clock = new ManualClock();
  const told: (string | undefined)[] = [];
  const mirror = await StoreMirror.load({
    ...{ dir, clock, logger: silentLogger },
    changed: () => told.push(mirror.problem),
  });
  await writeFile(dir, "a file where the folder should be");
  mirror.replace(PROD, [entry("a", 1n)], 1n, WALL);
  while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match(
    told[0] ?? "",
    /^STATE_UNWRITABLE: .*, so this node's copy of the store is not kept/,
  );
  mirror.apply([put("b", 2n)], 2n);
  assert.deepEqual(content(mirror), ["a=a1", "b=b2"]);
  await rm(dir);
  clock.advance(10_000);
  while (told.length === 1) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(told[1], undefined);
  await mirror.close();
  const next = await load(dir);
  assert.deepEqual(content(next), ["a=a1", "b=b2"]);
  await next.close();
});
