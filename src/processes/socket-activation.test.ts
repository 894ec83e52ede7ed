/** The plugin as systemd would start it: the socket is bound by another, and handed over at the first connection. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { unixRequest } from "../host/unix-http.ts";
import { eventually } from "./fake-node.ts";

const LAUNCHER = "/usr/bin/systemd-socket-activate";
const PLUGIN = pathToFileURL(join(import.meta.dirname, "../plugin/main.ts")).href;

test("the plugin takes over the socket that systemd hands it, and a new one after its death does too", async (t) => {
  if (!existsSync(LAUNCHER)) return t.skip("systemd-socket-activate is not installed");
  const dir = await mkdtemp(join(tmpdir(), "activation-"));
  const socket = join(dir, "ipam.sock");
  const options = JSON.stringify({ socket, control: join(dir, "control.sock"), stateDir: dir });
  const script = `import(${JSON.stringify(PLUGIN)}).then((m) => m.runIpamPlugin(${options}))`;
  const ask = async (): Promise<unknown> => {
    const path = "/IpamDriver.GetCapabilities";
    return (await unixRequest({ socketPath: socket, method: "POST", path, body: {} })).status;
  };
  try {
    for (const round of ["first", "second"]) {
      const argv = ["--listen", socket, process.execPath, "-e", script];
      const child = spawn(LAUNCHER, argv, { stdio: ["ignore", "ignore", "pipe"] });
      let log = "";
      child.stderr.on("data", (chunk: Buffer) => {
        log += chunk.toString("utf8");
      });
      try {
        await eventually(`${round} socket`, () => log.includes("Listening on"));
        const { ino } = statSync(socket);
        // The launcher becomes the plugin at this connection, which waits meanwhile, as dockerd's does at boot.
        assert.equal(await ask(), 200, log);
        assert.equal(statSync(socket).ino, ino, "the plugin bound a socket of its own");
        assert.match(log, /"msg":"serving"/);
        assert.match(log, /"handed":3/);
      } finally {
        if (child.exitCode === null) {
          child.kill("SIGKILL");
          await once(child, "exit");
        }
      }
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});
