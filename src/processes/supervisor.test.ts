import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { fairNow } from "../../test/fair-time.ts";
import { copiesOf, eventually, findRole, makeFakeHost, pidOf } from "./fake-node.ts";
import { type NodeFile, saveNodeFile } from "./node-file.ts";
import { logFile, pidFile } from "./paths.ts";
import { makeDirectories, startProcess } from "./start-process.ts";
import { stopNode } from "./stop.ts";
import { storeFiles } from "./store-process.ts";
import { endStoreProcess, startStoreProcess } from "./store-service.ts";
import { ensureSupervisor } from "./supervisor.ts";
import type { ThisHost } from "./this-host.ts";

const NODE: NodeFile = {
  version: 1,
  id: 1,
  name: "host1",
  cluster: "hansa",
  subnet: "10.32.0.0/12",
  targets: [],
  links: [],
  ports: { gossip: 6783, overlay: 6784, api: 1443 },
  encryption: "wireguard",
};
const ROLES = ["ipam-plugin", "daemon"] as const;

let host: ThisHost;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ host, close } = await makeFakeHost());
  await makeDirectories(host.paths);
  await saveNodeFile(host.paths.nodeFile, NODE);
});
afterEach(() => close());

async function allRun(): Promise<Record<string, number>> {
  const pids: Record<string, number> = {};
  for (const name of ["supervise", ...ROLES]) {
    pids[name] = await eventually(`${name} runs`, () => pidOf(host.paths, name));
  }
  return pids;
}

test("a killed process runs again in less than a second, the others are not touched", async () => {
  await ensureSupervisor(host.program, host.paths);
  let pids = await allRun();
  for (const name of ROLES) {
    const start = fairNow();
    process.kill(pids[name] ?? 0, "SIGKILL");
    const again = await eventually(`a new ${name}`, () => {
      const pid = pidOf(host.paths, name);
      return pid !== pids[name] ? pid : undefined;
    });
    const tookMs = fairNow() - start;
    assert.ok(tookMs < 1000, `${tookMs} ms`);
    const expected = { ...pids, [name]: again };
    pids = await allRun();
    assert.deepEqual(pids, expected);
  }
});

test("kill -9 of the supervisor leaves the processes running, and the next one adopts and keeps them", async () => {
  await ensureSupervisor(host.program, host.paths);
  const before = await allRun();
  process.kill(before["supervise"] ?? 0, "SIGKILL");
  // The fake daemon calls ensureSupervisor, as the real one does.
  const next = await eventually("the next supervisor", () => {
    const pid = pidOf(host.paths, "supervise");
    return pid !== before["supervise"] ? pid : undefined;
  });
  assert.deepEqual(await allRun(), { ...before, supervise: next });
  const log = (): string => readFileSync(logFile(host.paths, "supervise"), "utf8");
  await eventually("adoption", () => log().match(/"adopted"/g)?.length === ROLES.length);
  const start = fairNow();
  process.kill(before["ipam-plugin"] ?? 0, "SIGKILL");
  await eventually("an adopted process runs again", () => {
    const pid = pidOf(host.paths, "ipam-plugin");
    return pid !== undefined && pid !== before["ipam-plugin"];
  });
  const tookMs = fairNow() - start;
  assert.ok(tookMs < 1000, `${tookMs} ms`);
});

test("a process that comes later is kept too, and is let go when it is to be no more", async () => {
  await ensureSupervisor(host.program, host.paths);
  await allRun();
  const { dir, config } = storeFiles(host.paths);
  mkdirSync(dir, { recursive: true });
  writeFileSync(config, "{}");
  const etcd = join(host.paths.prefix, "bin/etcd");
  writeFileSync(etcd, "#!/bin/sh\nexec sleep 1000\n", { mode: 0o755 });
  await startStoreProcess(host.paths, host.folders);
  const first = await eventually("it runs", () => pidOf(host.paths, "etcd"));
  await eventually("it was taken up", () =>
    readFileSync(logFile(host.paths, "supervise"), "utf8").includes('"name":"etcd"'),
  );
  process.kill(first, "SIGKILL");
  await eventually("it runs again", () => {
    const pid = pidOf(host.paths, "etcd");
    return pid !== undefined && pid !== first;
  });
  await endStoreProcess(host.paths, { wipe: true });
  const supervisor = pidOf(host.paths, "supervise");
  await eventually("it was let go", async () => pidOf(host.paths, "etcd") === undefined);
  assert.equal(pidOf(host.paths, "supervise"), supervisor);
});

test("many who start at once make one supervisor and one copy of each process", async () => {
  await Promise.all(Array.from({ length: 5 }, () => ensureSupervisor(host.program, host.paths)));
  await Promise.all(
    host
      .processes(NODE)
      .flatMap((spec) => [startProcess(spec, host.paths), startProcess(spec, host.paths)]),
  );
  await allRun();
  for (const role of ["supervise", ...ROLES]) {
    assert.equal(copiesOf(host, role), 1, role);
  }
});

test("a process whose pid file was lost is found by its command line instead of started twice", async () => {
  const [spec] = host.processes(NODE);
  assert.ok(spec);
  const first = await startProcess(spec, host.paths);
  assert.ok(first.child && first.running);
  await eventually("it runs", () => findRole(host, spec.name));
  writeFileSync(pidFile(host.paths, spec.name), "1 1\n");
  const second = await startProcess(spec, host.paths);
  assert.equal(second.child, undefined);
  assert.deepEqual(second.running, first.running);
  assert.equal(pidOf(host.paths, spec.name), first.running.pid);
});

test("a stop ends all in order, and nothing comes back before a resume", async () => {
  await ensureSupervisor(host.program, host.paths);
  await allRun();
  await stopNode(host);
  for (const role of ["supervise", ...ROLES]) {
    assert.equal(findRole(host, role), undefined, role);
    assert.equal(existsSync(pidFile(host.paths, role)), false, role);
  }
  assert.equal(await ensureSupervisor(host.program, host.paths), false);
  await stopNode(host);
});

test("a process gets a small environment, no input, a session of its own and a log of mode 0640", async () => {
  process.env["HANSA_TOKEN"] = "must not be handed on";
  process.env["SOMETHING_ELSE"] = "neither";
  try {
    const [spec] = host.processes(NODE);
    assert.ok(spec);
    const { running } = await startProcess(spec, host.paths);
    const pid = running?.pid ?? 0;
    await eventually("it runs", () => findRole(host, spec.name));
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
    const names = environment.map((each) => each.split("=")[0]).sort();
    assert.deepEqual(names, ["HANSA_ROOT", "HOME", "LANG", "NODE_OPTIONS", "PATH"]);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    assert.equal(stat[2], String(pid), "process group");
    assert.equal(stat[3], String(pid), "session");
    assert.equal(statSync(logFile(host.paths, spec.name)).mode & 0o777, 0o640);
  } finally {
    delete process.env["HANSA_TOKEN"];
    delete process.env["SOMETHING_ELSE"];
  }
});
