/** An upgrade of a node that only answers for its build: what its new build does wrong is taken back. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { HansaError, isHansaError } from "../errors.ts";
import type { Command } from "../host/command.ts";
import { hansaPaths } from "../processes/paths.ts";
import { thisHost } from "../processes/this-host.ts";
import { type UpgradePlan, upgrade } from "./upgrade.ts";

const ROOT = "HANSA_ROOT";
let root: string;
const formerRoot = process.env[ROOT];
const server = createServer((request, answer) => {
  const isVersion = request.url === "/v1/version";
  answer.setHeader("content-type", "application/json");
  answer.end(JSON.stringify(isVersion ? { version: "1", revision: "a" } : {}));
});

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "hansa-upgrade-"));
  process.env[ROOT] = root;
  const { apiSocket } = hansaPaths();
  await mkdir(dirname(apiSocket), { recursive: true });
  await new Promise<void>((resolve) => server.listen(apiSocket, resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  if (formerRoot === undefined) delete process.env[ROOT];
  else process.env[ROOT] = formerRoot;
  await rm(root, { recursive: true, force: true });
});

test("a build that cannot be run, or hangs, is taken back like one that ends with an error", async () => {
  const [file, executable] = [join(root, "new"), join(root, "hansa")];
  const plan: UpgradePlan = {
    ...{ file, executable, from: "1+a", to: "2+b", replacesFile: true, processes: [] },
  };
  for (const failure of [
    new HansaError("COMMAND_TIMEOUT", "hansa did not end within 30 s"),
    new HansaError("INTERNAL", "hansa could not be started: spawn ENOEXEC"),
    new Error("ENOSPC: no space left on device"),
  ]) {
    await writeFile(file, "the new build");
    await writeFile(executable, "the old build");
    const command: Command = {
      async run() {
        if ((await readFile(executable, "utf8")) === "the new build") throw failure;
        return { status: 0, stdout: "", stderr: "" };
      },
    };
    const nothing = async (): Promise<void> => undefined;
    const starter = { isThere: async () => true, ensure: nothing, remove: nothing, renew: nothing };
    const on = { host: thisHost([executable]), command, source: file, starter };
    const tell = (): void => undefined;
    await assert.rejects(upgrade(plan, on, { withinMs: 5_000, tell }), (error) => {
      assert.ok(isHansaError(error, "UPGRADE_ROLLED_BACK"), `${error}`);
      assert.ok(error.message.includes(failure.message), error.message);
      return true;
    });
    assert.equal(await readFile(executable, "utf8"), "the old build");
  }
});
