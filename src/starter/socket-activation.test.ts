/** The starter as systemd would start it: the socket is bound by another, and handed over at the first connection. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { eventually } from "../processes/fake-node.ts";
import { hansaPaths } from "../processes/paths.ts";
import { askToStop } from "./starter-client.ts";

const LAUNCHER = "/usr/bin/systemd-socket-activate";
const MAIN = join(import.meta.dirname, "../main.ts");

test("the starter answers on the socket that systemd hands it", async (t) => {
  if (!existsSync(LAUNCHER)) return t.skip("systemd-socket-activate is not installed");
  const root = await mkdtemp(join(tmpdir(), "activation-"));
  const { starterSocket } = hansaPaths({ HANSA_ROOT: root });
  await mkdir(dirname(starterSocket), { recursive: true });
  const argv = ["--listen", starterSocket, `--setenv=HANSA_ROOT=${root}`];
  const child = spawn(LAUNCHER, [...argv, process.execPath, MAIN, "starter"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString("utf8");
  });
  try {
    await eventually("the socket", () => log.includes("Listening on"));
    // The launcher becomes the starter at this connection, which waits meanwhile.
    for (const _ of [1, 2]) {
      await assert.rejects(
        askToStop(starterSocket, { leave: false }, () => undefined),
        (error) => isHansaError(error, "NODE_NOT_LAUNCHED"),
      );
    }
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [0, null], log);
    assert.ok(existsSync(starterSocket), "it took systemd's socket away");
  } finally {
    if (child.exitCode === null) child.kill("SIGKILL");
    await rm(root, { recursive: true });
  }
});
