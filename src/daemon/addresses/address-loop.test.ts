import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { HansaError } from "../../errors.ts";
import { systemClock } from "../../host/clock.ts";
import { silentLogger } from "../../host/logger.ts";
import { addressPlan } from "../../ipam/address-plan.ts";
import type { Space } from "../../ipam/lease-record.ts";
import type { IpamMessage, RingEntry } from "../../ipam/step.ts";
import { AddressDesk } from "../../plugin/address-desk.ts";
import { ControlServer } from "../../plugin/control-server.ts";
import { LeaseJournal } from "../../plugin/lease-journal.ts";
import { makePluginPaths, type PluginPaths, PluginProcess } from "../../plugin/plugin-process.ts";
import type { Range } from "../../values/cidr.ts";
import type { NodeId } from "../../values/node-id.ts";
import { until } from "../timing/until.ts";
import { AddressLoop } from "./address-loop.ts";

const PLAN = addressPlan("10.32.0.0/12");
const NEVER = new AbortController().signal;

/** A plugin in this process that can be told to refuse its space. */
class Plugin {
  readonly spaces: Space[] = [];
  refuses: HansaError | undefined;
  readonly desk: AddressDesk;
  readonly #journal: LeaseJournal;
  readonly #server = new ControlServer(silentLogger);

  constructor(paths: PluginPaths) {
    mkdirSync(paths.stateDir, { recursive: true });
    mkdirSync(join(paths.control, ".."), { recursive: true });
    this.#journal = new LeaseJournal(paths.stateDir, { logger: silentLogger });
    const { spaces } = this;
    const refuse = (): void => {
      if (this.refuses) throw this.refuses;
    };
    this.desk = new (class extends AddressDesk {
      override setSpace(space: Space): readonly Range[] {
        spaces.push(space);
        refuse();
        return super.setSpace(space);
      }
    })(this.#journal, systemClock, this.#server);
  }

  static async start(paths: PluginPaths): Promise<Plugin> {
    const plugin = new Plugin(paths);
    await plugin.#server.listen(plugin.desk, paths.control);
    return plugin;
  }

  close(): void {
    this.#server.close();
    this.#journal.close();
  }
}

/** One loop with what it told. */
class Stage implements AsyncDisposable {
  readonly paths: PluginPaths;
  readonly ringDirectory: string;
  readonly sent: (readonly [NodeId, IpamMessage])[] = [];
  readonly told: (readonly RingEntry[])[] = [];
  ready = 0;
  plugin: Plugin | undefined;
  loop!: AddressLoop;

  private constructor(paths: PluginPaths) {
    this.paths = paths;
    this.ringDirectory = join(paths.directory, "rings");
  }

  static async make({ self = 1, plugin = true, begins = true, plan = PLAN } = {}): Promise<Stage> {
    const stage = new Stage(await makePluginPaths());
    mkdirSync(stage.ringDirectory);
    if (plugin) stage.plugin = await Plugin.start(stage.paths);
    stage.loop = await AddressLoop.start({
      self,
      plan,
      ringPath: join(stage.ringDirectory, "ring.json"),
      controlPath: stage.paths.control,
      logger: silentLogger,
      send: async (to, message) => void stage.sent.push([to, message]),
      broadcast: (entries) => stage.told.push(entries),
      changed: () => undefined,
      pluginReady: () => {
        stage.ready += 1;
      },
    });
    if (begins) stage.loop.begin();
    return stage;
  }

  /** What Docker asks for, at the plugin's desk. */
  async take(wanted: number | "any", withinMs: number): Promise<number> {
    assert.ok(this.plugin);
    return await this.plugin.desk.take(wanted, withinMs, NEVER);
  }

  /** The disk refuses: the rings' directory gives way to a file. */
  breakDisk(): void {
    renameSync(this.ringDirectory, `${this.ringDirectory}.away`);
    writeFileSync(this.ringDirectory, "");
  }

  mendDisk(): void {
    rmSync(this.ringDirectory);
    renameSync(`${this.ringDirectory}.away`, this.ringDirectory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loop.close();
    this.plugin?.close();
    rmSync(this.paths.directory, { recursive: true, force: true });
  }
}

test("a seed node's birth is on disk, told, and given to the plugin", async () => {
  await using stage = await Stage.make();
  stage.loop.input({ type: "settled" });
  await until(() => stage.told.length > 0 && stage.plugin?.spaces.at(-1)?.ready === true);
  const file = JSON.parse(await readFile(join(stage.ringDirectory, "ring.json"), "utf8"));
  assert.ok(file);
  assert.ok(stage.loop.entries().some(({ owner, version }) => owner === 1 && version > 0));
  assert.equal(stage.plugin?.spaces.at(-1)?.gateway, 0x0a200001);
});

test("rings that cannot be written are neither told nor shown nor given, until they can", async () => {
  await using stage = await Stage.make();
  await until(() => stage.ready === 1);
  stage.breakDisk();
  stage.loop.input({ type: "reachable", nodes: [2] });
  stage.loop.input({ type: "settled" });
  await until(() => stage.loop.problem !== undefined);
  assert.match(stage.loop.problem ?? "", /^STATE_UNWRITABLE: .*ring\.json cannot be written/);
  // Somebody asks for space: an answer would rest on rings that a crash forgets.
  stage.loop.input({ type: "message", from: 2, message: { type: "ask-space", request: 1 } });
  await delay(50);
  assert.deepEqual([stage.told, stage.sent, stage.loop.entries()], [[], [], []]);
  assert.ok(stage.plugin?.spaces.every(({ ready }) => !ready));
  stage.mendDisk();
  await until(() => stage.sent.some(([to, message]) => to === 2 && message.type === "granted"));
  assert.equal(stage.loop.problem, undefined);
  assert.ok(stage.loop.entries().some(({ owner }) => owner === 2));
  assert.ok(stage.told.length > 0);
});

test("closed while the rings cannot be written, it tells nothing of them any more", async () => {
  await using stage = await Stage.make({ plugin: false });
  stage.breakDisk();
  stage.loop.input({ type: "settled" });
  await until(() => stage.loop.problem !== undefined);
  await stage.loop.close();
  assert.deepEqual([stage.told, stage.loop.entries()], [[], []]);
});

test("what is fed before the loop begins is carried out afterwards, in order", async () => {
  await using stage = await Stage.make({ begins: false });
  stage.loop.input({ type: "settled" });
  await delay(50);
  assert.deepEqual([stage.told, stage.plugin?.spaces], [[], []]);
  assert.equal(stage.loop.pluginConnected, false);
  await assert.rejects(stage.loop.leases(), { code: "IPAM_PLUGIN_UNREACHABLE" });
  stage.loop.begin();
  await until(() => stage.told.length > 0 && stage.ready === 1);
});

test("closed before it began, it ends and carries nothing out", async () => {
  await using stage = await Stage.make({ begins: false });
  stage.loop.input({ type: "settled" });
  await stage.loop.close();
  assert.deepEqual([stage.told, stage.loop.entries()], [[], []]);
});

test("a plugin that does not take its space is told again until it does, and only then used", async () => {
  await using stage = await Stage.make({ begins: false });
  const { plugin } = stage;
  assert.ok(plugin);
  plugin.refuses = new HansaError("STATE_UNWRITABLE", "the leases cannot be written");
  stage.loop.begin();
  stage.loop.input({ type: "settled" });
  await until(() => stage.loop.problem !== undefined);
  assert.equal(stage.loop.problem, "STATE_UNWRITABLE: the leases cannot be written");
  assert.equal(stage.ready, 0);
  const tries = plugin.spaces.length;
  await until(() => plugin.spaces.length > tries);
  assert.equal(stage.ready, 0);
  plugin.refuses = undefined;
  await until(() => stage.ready === 1);
  assert.equal(stage.loop.problem, undefined);
  assert.equal(plugin.desk.book.space?.ready, true);
  const taken = plugin.spaces.length;
  await delay(1200);
  assert.deepEqual([plugin.spaces.length, stage.ready], [taken, 1]);
});

test("a plugin that was killed and comes back without its state is given the space again", async () => {
  await using stage = await Stage.make({ plugin: false });
  const { paths } = stage;
  stage.loop.input({ type: "settled" });
  const takes = async (plugin: PluginProcess): Promise<unknown> => {
    const body = { PoolID: "hansa/10.32.0.0/12", Address: "" };
    return (await plugin.ask("/IpamDriver.RequestAddress", body))["Address"];
  };
  {
    const first = await PluginProcess.start(paths);
    await until(() => stage.ready === 1);
    assert.match(`${await takes(first)}`, /^10\./);
    await first.kill();
  }
  await until(() => !stage.loop.pluginConnected);
  rmSync(paths.stateDir, { recursive: true, force: true });
  await using second = await PluginProcess.start(paths);
  await until(() => stage.ready === 2);
  assert.match(`${await takes(second)}`, /^10\./);
});

test("claims are refused with the code that names the reason", { concurrency: true }, async (t) => {
  const far = PLAN.fixed.end - 9;
  void t.test("no node gave any yet", async () => {
    await using stage = await Stage.make({ self: 5 });
    stage.loop.input({ type: "settled" });
    await until(() => stage.ready === 1);
    const why = { code: "IPAM_NOT_READY", message: /^node 5 has no addresses yet/ };
    await assert.rejects(stage.take("any", 4000), why);
  });
  void t.test("its owner is out of reach", async () => {
    await using stage = await Stage.make();
    stage.loop.input({ type: "settled" });
    await until(() => stage.ready === 1);
    const why = { code: "IPAM_OWNER_UNREACHABLE", message: /belongs to node 4, which is out/ };
    await assert.rejects(stage.take(far, 4000), why);
  });
  void t.test("in use at its owner, who is asked", async () => {
    await using stage = await Stage.make();
    const { loop, sent } = stage;
    loop.input({ type: "settled" });
    loop.input({ type: "reachable", nodes: [4] });
    const answered = stage.take(far, 60_000);
    const rejected = assert.rejects(answered, {
      code: "IPAM_ADDRESS_IN_USE",
      message: /is in use on node 4$/,
    });
    await until(() => sent.some(([, { type }]) => type === "ask-address"));
    const [to, ask] = sent.find(([, { type }]) => type === "ask-address") ?? assert.fail();
    assert.equal(to, 4);
    const message = { type: "refused", request: ask.request, reason: "in-use" } as const;
    loop.input({ type: "message", from: 4, message });
    await rejected;
  });
  void t.test("all addresses in use and nobody in reach", async () => {
    await using stage = await Stage.make({ plan: addressPlan("10.32.0.0/20") });
    stage.loop.input({ type: "settled" });
    await until(() => stage.plugin?.spaces.at(-1)?.ready === true);
    const given = new Set<number>();
    for (let count = 0; count < 512; count++) given.add(await stage.take("any", 60_000));
    assert.equal(given.size, 512);
    // Longer than the machine holds the plugin's counts back after the space was set.
    await assert.rejects(stage.take("any", 4000), {
      code: "IPAM_EXHAUSTED",
      message: /^node 1 has no free address/,
    });
  });
  void t.test("of our own part it is granted", async () => {
    await using stage = await Stage.make();
    stage.loop.input({ type: "settled" });
    await until(() => stage.ready === 1);
    const near = PLAN.fixed.start + 9;
    assert.equal(await stage.take(near, 60_000), near);
  });
});
