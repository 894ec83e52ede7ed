import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { createApi } from "../api/create-api.ts";
import { FakeNode } from "../api/fake-node.ts";
import { serveUnix, type UnixListener } from "../api/serve-unix.ts";
import { type Ran, runFake } from "./fake-terminal.ts";

let folder: string;
let path: string;
let node: FakeNode;
let listener: UnixListener;

async function serve(): Promise<void> {
  listener = await serveUnix(createApi(node), { path });
}
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hansa-watch-"));
  path = join(folder, "hansa.sock");
  node = new FakeNode();
  await serve();
});
afterEach(async () => {
  await listener.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command, calls each of `steps` once the pattern before it is printed, and then presses Ctrl-C. */
async function watched(
  line: string,
  steps: readonly (readonly [RegExp, () => unknown])[],
  rows?: number,
): Promise<Ran> {
  const controller = new AbortController();
  const left = [...steps];
  return runFake(line.split(" "), {
    socket: path,
    interrupted: controller.signal,
    ...(rows === undefined ? {} : { rows }),
    printed: (stdout, stderr) => {
      const step = left[0];
      if (step === undefined || !step[0].test(`${stdout}\n${stderr}`)) return;
      left.shift();
      setImmediate(step[1]);
      if (left.length === 0) setImmediate(() => controller.abort());
    },
  });
}

const targets = (...names: string[]) => node.set({ ...node.current, targets: names });

test("json is one document on each line, a new one for each change, and Ctrl-C ends it with 0", async () => {
  const { exit, stdout, stderr } = await watched("status --watch --targets -o json", [
    [/host9/, () => targets("a")],
    [/"a"/, () => targets("a", "b")],
    [/"b"/, () => undefined],
  ]);
  assert.equal(exit, 0, stderr);
  assert.deepEqual(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).targets),
    [["host1", "host2", "host9"], ["a"], ["a", "b"]],
  );
  while (node.watching > 0) await new Promise(setImmediate);
});

test("a daemon that restarts is waited for, with one line", async () => {
  const { exit, stdout, stderr } = await watched("status --watch --targets", [
    [/host9/, () => listener.close()],
    [
      /waiting for it/,
      () => {
        targets("again");
        return serve();
      },
    ],
    [/again/, () => undefined],
  ]);
  assert.equal(exit, 0);
  assert.equal(stdout, "host1\nhost2\nhost9\n\nagain\n");
  assert.equal(stderr.match(/waiting for it/g)?.length, 1, stderr);
});

test("a daemon that never ran is an error at once", async () => {
  const { exit, stderr } = await runFake(["status", "--watch"], { socket: join(folder, "none") });
  assert.equal(exit, 1);
  assert.match(stderr, /hansa is not running/);
});

test("a terminal is cleared once and then redrawn in place, cut at its height", async () => {
  const long = Array.from({ length: 50 }, (_, index) => `host${index}`);
  const { stdout, stderr } = await watched(
    "status --watch --targets",
    [
      [/host9/, () => targets(...long)],
      [/lines more/, () => undefined],
    ],
    10,
  );
  assert.equal(stderr, "");
  const [, first = "", second = "", ...more] = stdout.replaceAll("\u001b", "^").split("^[H");
  assert.deepEqual(more, []);
  assert.ok(first.startsWith("^[2J^[?7l[hansa] Targets status:^[K\nhost1^[K\n"), first);
  assert.ok(!second.includes("2J"));
  assert.equal(second.split("\n").length, 10);
  assert.ok(second.endsWith("host6^[K\n… 43 lines more^[K^[?7h\n^[J"), second);
});

for (const [line, sentence] of [
  ["status --interval 2", /--interval needs --watch/],
  ["status --watch --interval x", /interval, required: seconds, received: x/],
] as const) {
  test(`"${line}" is refused`, async () => {
    const { exit, stderr } = await runFake(line.split(" "), { socket: path });
    assert.equal(exit, 1);
    assert.match(stderr, sentence);
  });
}

test("with an interval, changes between two documents are skipped", async () => {
  const { stdout } = await watched("status --watch --interval 0.3 --targets -o json", [
    [
      /host9/,
      () => {
        for (const name of ["b", "c", "d"]) targets(name);
      },
    ],
    [/"d"/, () => undefined],
  ]);
  assert.ok(stdout.trimEnd().split("\n").length <= 3, stdout);
});
