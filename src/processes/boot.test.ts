import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { afterEach, beforeEach, test } from "node:test";
import { isHansaError } from "../errors.ts";
import { runBoot } from "./boot.ts";
import { eventually, makeFakeHost, pidOf } from "./fake-node.ts";
import { type LaunchOptions, launch } from "./launch.ts";
import { daemonAnswers, socketAccepts } from "./readiness.ts";
import { resume } from "./resume.ts";
import { stopNode } from "./stop.ts";
import type { ThisHost } from "./this-host.ts";

const OPTIONS: LaunchOptions = {
  id: 7,
  token: "my-cluster-password",
  name: "host7",
  subnet: "10.240.0.0/12",
  ports: { gossip: 17_783, overlay: 17_784, api: 17_443 },
  targets: [],
};

let host: ThisHost;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ host, close } = await makeFakeHost());
});
afterEach(() => close());

test("resume needs a launch, brings a stopped node back, and changes nothing on a running one", async () => {
  await assert.rejects(resume(undefined, host), (error) => {
    assert.ok(isHansaError(error, "NODE_NOT_LAUNCHED"));
    return /launch/.test(error.hint);
  });
  await launch(OPTIONS, host);
  await stopNode(host);
  assert.deepEqual(await resume(undefined, host), { id: 7 });
  const pid = pidOf(host.paths, "daemon");
  assert.deepEqual(await resume(undefined, host), { id: 7 });
  assert.equal(pidOf(host.paths, "daemon"), pid);
});

test("an early boot has the plugin's socket before it returns, a late one the daemon; neither does anything before a launch", async () => {
  assert.equal(await runBoot("early", host), 0);
  assert.equal(existsSync(host.paths.runDir), false);
  await launch(OPTIONS, host);
  await stopNode(host);
  await rm(host.paths.runDir, { recursive: true });
  assert.equal(await runBoot("early", host), 0);
  assert.equal(await socketAccepts(host.paths.ipamSocket), true);
  assert.equal(await runBoot("late", host), 0);
  assert.equal(await daemonAnswers(host.paths.apiSocket), true);
  await eventually("the supervisor runs", () => pidOf(host.paths, "supervise"));
});
