import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createApi } from "../api/create-api.ts";
import { EventLog } from "../api/event-log.ts";
import { FakeNode } from "../api/fake-node.ts";
import { serveUnix, type UnixListener } from "../api/serve-unix.ts";
import { HansaError, isHansaError } from "../errors.ts";
import { type Door, unixDoor } from "./door.ts";
import type { Place } from "./events.ts";
import { apiClient } from "./node-client.ts";
import { resumedEvents } from "./resumed-events.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "hansa-resume-"));
});
after(() => rm(folder, { recursive: true }));

const away = () => new HansaError("NODE_NOT_RUNNING", "hansa stopped");

/** A reader of a log whose connection breaks after each of `lengths` events, and what it made of it. */
async function readThrough(
  log: EventLog<{ readonly n: number }>,
  lengths: readonly number[],
  between: () => void,
): Promise<{ readonly seen: number[]; readonly missed: (number | null)[] }> {
  const controller = new AbortController();
  const { signal } = controller;
  const seen: number[] = [];
  const missed: (number | null)[] = [];
  const left = [...lengths];
  async function* open(place: Place): AsyncGenerator<number> {
    const length = left.shift();
    if (length === undefined) {
      controller.abort();
      return;
    }
    let count = 0;
    const text = new TextDecoder();
    for await (const event of log.follow(place.id, signal)) {
      place.id = event.id;
      const data = JSON.parse(/^data: (.*)$/m.exec(text.decode(event.bytes))?.[1] ?? "");
      if ("missed" in data) place.missed?.(data.missed);
      else {
        count += 1;
        yield data.n;
      }
      if (count === length) break;
    }
    between();
    throw away();
  }
  const missing = (number: number | null): void => void missed.push(number);
  const events = resumedEvents({ open, signal, missed: missing, random: () => 0 });
  const first = events.next();
  between();
  for (let next = await first; !next.done; next = await events.next()) seen.push(next.value);
  return { seen, missed };
}

test("over broken connections each event comes once, and those that are gone are counted", async () => {
  const log = new EventLog<{ readonly n: number }>({ epoch: "aa", maxEvents: 5 });
  let n = 0;
  const tell = (): void => {
    for (let index = 0; index < 4; index++) log.tell({ n: ++n });
  };
  const { seen, missed } = await readThrough(log, [1, 1, 2], tell);
  // 4 events at first, and 4 more at each break: of 2 to 12 the last five were kept at last.
  assert.deepEqual(seen, [1, 4, 8, 9]);
  assert.deepEqual(missed, [2, 3]);
});

test("a first try that fails, and a refusal at any time, end it; the passing of a node does not", async () => {
  const { signal } = new AbortController();
  /** Each connection tells the next of `told`, an event or that it failed, until one fails. */
  const resumed = (...told: readonly (string | HansaError)[]) => {
    const left = [...told];
    return resumedEvents({
      ...{ signal, random: () => 0 },
      async *open() {
        for (let next = left.shift(); next !== undefined; next = left.shift()) {
          if (next instanceof HansaError) throw next;
          yield next;
        }
      },
    });
  };
  const first = resumed(away());
  await assert.rejects(first.next(), (error) => isHansaError(error, "NODE_NOT_RUNNING"));
  const refused = new HansaError("API_CERTIFICATE_REFUSED", "revoked");
  const later = resumed("one", away(), "two", refused);
  assert.deepEqual(await later.next(), { done: false, value: "one" });
  assert.deepEqual(await later.next(), { done: false, value: "two" });
  await assert.rejects(later.next(), (error) => isHansaError(error, "API_CERTIFICATE_REFUSED"));
});

/** A door to the first of several places that answers. */
function doorTo(paths: readonly string[]): Door {
  const doors = paths.map(unixDoor);
  return {
    place: "the test",
    inOurWords: (error) => error,
    async open() {
      for (const door of doors) {
        const socket = await door.open();
        const isOpen = await new Promise((resolve) => {
          socket.once("connect", () => resolve(true));
          socket.once("error", () => resolve(false));
        });
        if (isOpen) return socket;
      }
      throw new HansaError("CONTEXT_UNREACHABLE", "nobody answers");
    },
  };
}

test("a watch goes on by another node when its own dies, waits when all are gone, and is not told again what it knows", async () => {
  const paths = ["one", "two"].map((name) => join(folder, name));
  const nodes = paths.map((_, index) => {
    const node = new FakeNode();
    const name = `host${index + 1}`;
    node.current = { ...node.current, node: { ...node.current.node, id: index + 1, name } };
    return node;
  });
  const serve = (index: number): Promise<UnixListener> =>
    serveUnix(createApi(nodes[index] as FakeNode), { path: paths[index] ?? "" });
  const [one, two] = [await serve(0), await serve(1)];
  const controller = new AbortController();
  let pauses = 0;
  const statuses = apiClient(doorTo(paths))
    .watchStatus(controller.signal, {
      paused: () => {
        pauses += 1;
      },
    })
    [Symbol.asyncIterator]();
  const name = async (): Promise<string> => (await statuses.next()).value?.node.name;
  assert.equal(await name(), "host1");
  let next = name();
  await one.close();
  assert.equal(await next, "host2");
  assert.equal(pauses, 1);
  next = name();
  await two.close();
  while (pauses < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  // The same daemon with the same state: nothing is news until something changes.
  const again = await serve(1);
  const node = nodes[1] as FakeNode;
  while (node.watching === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  node.set({ ...node.current, targets: ["changed"] });
  assert.equal(await next, "host2");
  assert.deepEqual(node.current.targets, ["changed"]);
  const last = statuses.next();
  controller.abort();
  assert.equal((await last).done, true);
  await again.close();
});
