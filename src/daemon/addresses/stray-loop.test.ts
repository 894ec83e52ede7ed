import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../../host/clock.ts";
import { createLogger } from "../../host/logger.ts";
import type { Range } from "../../values/cidr.ts";
import { Beat } from "../timing/beat.ts";
import type { SeenContainer } from "./reconcile-plan.ts";
import { StrayLoop, type StrayLoopOptions } from "./stray-loop.ts";

const logger = createLogger({ write: () => {} });
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "stray-"));
});
after(() => rm(folder, { recursive: true }));

/** A host that owns `owned`, what its loop told others and its address machine, and the looks at Docker that it asked for. */
async function host(name: string, owned: Range, different: Partial<StrayLoopOptions> = {}) {
  const told: Uint8Array[] = [];
  const avoided: (readonly Range[])[] = [];
  let seen: readonly SeenContainer[] = [];
  let asked = 0;
  const loop = await StrayLoop.start({
    name,
    path: join(folder, `${name}.json`),
    logger,
    owned: () => [owned],
    tell: (body) => void told.push(body),
    stateOf: () => "heard",
    avoid: (ranges) => void avoided.push(ranges),
    changed: () => {},
    look: () => {
      asked += 1;
    },
    beat: new Beat(systemClock),
    ...different,
  });
  /** Docker has these containers, and is looked at as often as the loop asks for it. */
  const has = (containers: readonly SeenContainer[] = seen): void => {
    seen = containers;
    do {
      asked = 0;
      loop.setContainers(seen);
    } while (asked > 0);
  };
  return { loop, told, avoided, has, asked: () => asked };
}

function container(name: string, address: number): SeenContainer {
  return { id: name, name, running: true, error: "", restartPolicy: "no", address };
}

test("two hosts that hold one address both say so, the owner keeps from giving it, and an end is told", async () => {
  const owner = await host("1-000000aa", { start: 0, end: 10 });
  const other = await host("2-000000bb", { start: 10, end: 20 });
  try {
    owner.has([container("web", 5), container("db", 6)]);
    assert.deepEqual(owner.told, [], "nothing is wrong yet");
    other.has([container("api", 5), container("own", 12)]);
    assert.equal(other.told.length, 1);
    for (const note of other.told.splice(0)) owner.loop.receive(note);
    assert.deepEqual(owner.avoided.at(-1), [{ start: 5, end: 6 }]);
    owner.has();
    for (const note of owner.told.splice(0)) other.loop.receive(note);
    for (const { loop } of [owner, other]) {
      const holders = loop.list().map(({ container, holder }) => `${container} ${holder}`);
      assert.deepEqual(holders.sort(), ["api 2-000000bb", "web 1-000000aa"]);
    }
    other.has([container("own", 12)]);
    for (const note of other.told.splice(0)) owner.loop.receive(note);
    assert.deepEqual(owner.avoided.at(-1), []);
    assert.deepEqual(owner.loop.list(), []);
  } finally {
    await Promise.all([owner.loop.close(), other.loop.close()]);
  }
});

test("what others hold is known again before the first space is set after a restart", async () => {
  const first = await host("3-000000cc", { start: 0, end: 10 });
  const other = await host("4-000000dd", { start: 10, end: 20 });
  other.has([container("api", 5)]);
  for (const note of other.told) first.loop.receive(note);
  await Promise.all([first.loop.close(), other.loop.close()]);
  const second = await host("3-000000cc", { start: 0, end: 10 }, { stateOf: () => "silent" });
  await second.loop.close();
  assert.deepEqual(second.avoided, [[{ start: 5, end: 6 }]]);
});

test("a container that was removed before its address went to another node was never a stray", async () => {
  const owned: Range[] = [{ start: 0, end: 10 }];
  const { loop, told, asked } = await host(
    "5-000000ee",
    { start: 0, end: 0 },
    { owned: () => owned },
  );
  try {
    loop.setContainers([container("web", 5)]);
    owned.splice(0, 1, { start: 6, end: 10 });
    loop.update();
    assert.deepEqual([loop.list(), asked()], [[], 1]);
    // A look that began before the removal, and one after it.
    loop.setContainers([container("web", 5)]);
    assert.deepEqual([loop.list(), asked()], [[], 2]);
    loop.setContainers([]);
    assert.deepEqual([loop.list(), told], [[], []]);
  } finally {
    await loop.close();
  }
});

test("an address that comes back to us ends the stray without a look", async () => {
  const owned: Range[] = [];
  const { loop, has, asked } = await host(
    "6-000000ff",
    { start: 0, end: 0 },
    { owned: () => owned },
  );
  try {
    has([container("web", 5)]);
    assert.deepEqual(
      loop.list().map(({ address }) => address),
      [5],
    );
    owned.push({ start: 0, end: 10 });
    loop.update();
    assert.deepEqual([loop.list(), asked()], [[], 0]);
  } finally {
    await loop.close();
  }
});
