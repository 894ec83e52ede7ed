import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeEngine } from "../../docker/fake-engine.ts";
import { ManualClock } from "../../host/clock.ts";
import { silentLogger } from "../../host/logger.ts";
import type { DockerNetworkBody } from "../../overlay/docker-network.ts";
import { parseIpv4 } from "../../values/ipv4.ts";
import type { SeenLease } from "../addresses/reconcile-plan.ts";
import { until } from "../timing/until.ts";
import { DockerLoop } from "./docker-loop.ts";

const BODY = {
  Name: "hansa",
  Driver: "bridge",
  IPAM: { Driver: "hansa", Config: [{ Subnet: "10.32.0.0/12", Gateway: "10.32.0.1" }] },
  Options: { "com.docker.network.driver.mtu": "1420" },
} as unknown as DockerNetworkBody;

class Stage implements AsyncDisposable {
  readonly engine = new FakeEngine();
  readonly clock = new ManualClock();
  looks = 0;
  plugin = true;
  leases: SeenLease[] = [];
  freed: number[] = [];
  /** How often the loop said that something changed. */
  told = 0;
  readonly loop: DockerLoop;

  constructor(prepare: (engine: FakeEngine) => void = () => undefined) {
    prepare(this.engine);
    this.loop = new DockerLoop({
      engine: this.engine,
      logger: silentLogger,
      network: () => BODY,
      pluginConnected: () => this.plugin,
      leases: async () => {
        this.looks += 1;
        return { leases: this.leases };
      },
      free: async (addresses) => {
        this.leases = this.leases.filter(({ address }) => !addresses.includes(address));
        return this.freed.push(...addresses);
      },
      clock: this.clock,
      changed: () => {
        this.told += 1;
      },
    });
  }

  /** Looks at leases and containers once more, so long after the last look. */
  async lookAfter(ms: number): Promise<void> {
    const { looks } = this;
    this.clock.advance(ms);
    this.loop.wake();
    await until(() => this.looks > looks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loop.close();
  }
}

const LEAK: SeenLease = { address: parseIpv4("10.40.9.9") ?? 0, sinceMs: 0 };

const other = (engine: FakeEngine): Promise<string> =>
  engine.createNetwork({
    name: "hansa",
    driver: "bridge",
    ipamDriver: "hansa",
    subnet: "10.32.0.0/12",
    gateway: "10.32.0.1",
    options: { "com.docker.network.driver.mtu": "999" },
    labels: {},
  });

const mtuOf = async (engine: FakeEngine): Promise<string | undefined> =>
  (await engine.inspectNetwork("hansa"))?.options["com.docker.network.driver.mtu"];

test("the network is made, and comes back when the user removes it", async () => {
  await using stage = new Stage();
  await until(() => stage.loop.hasNetwork);
  const { told } = stage;
  await stage.engine.removeNetwork("hansa");
  await until(async () => (await stage.engine.inspectNetwork("hansa")) !== undefined);
  assert.equal(stage.loop.problem, undefined);
  // Its bridge is new too: whoever sets the bridge must hear of it.
  await until(() => stage.told > told && stage.loop.hasNetwork);
});

test("without the plugin no network is made; when it comes it is, at once", async () => {
  await using stage = new Stage();
  stage.plugin = false;
  await until(() => stage.loop.info !== undefined);
  assert.equal(stage.loop.hasNetwork, false);
  stage.plugin = true;
  stage.loop.wake();
  await until(() => stage.loop.hasNetwork);
});

test("a network that differs is made anew when nobody is on it", async () => {
  await using stage = new Stage((engine) => void other(engine));
  await until(async () => (await mtuOf(stage.engine)) === "1420");
});

test("a network that differs stays while containers are on it, and all else is mended", async () => {
  await using stage = new Stage((engine) => {
    void other(engine);
    const id = engine.createContainer({ name: "web", network: "hansa" });
    void engine.startContainer(id);
  });
  stage.leases = [LEAK];
  await until(() => stage.loop.hasNetwork);
  await stage.lookAfter(0);
  await stage.lookAfter(10_000);
  await until(() => stage.freed.length > 0);
  assert.match(stage.loop.problem ?? "", /^DOCKER_NETWORK_DIFFERS/);
  assert.equal(await mtuOf(stage.engine), "999");
});

test("containers that failed for want of an address are started, each by itself", async () => {
  await using stage = new Stage();
  await until(() => stage.loop.hasNetwork);
  const { engine } = stage;
  const works = engine.allocate;
  engine.allocate = () => {
    throw new Error("IpamDriver.RequestAddress: no plugin");
  };
  const spec = { network: "hansa", restartPolicy: "always" };
  for (const name of ["one", "two"]) {
    const id = engine.createContainer({ name, ...spec });
    await engine.startContainer(id).catch(() => undefined);
  }
  engine.allocate = works;
  stage.loop.wake();
  for (const name of ["one", "two"]) {
    await until(async () => (await engine.inspectContainer(name))?.running === true);
  }
});

test("Docker gone is told, and its return forgets it", async () => {
  await using stage = new Stage();
  await until(() => stage.loop.hasNetwork);
  stage.engine.stop();
  await until(() => stage.loop.problem?.startsWith("DOCKER_UNREACHABLE") === true);
  assert.equal(stage.loop.hasNetwork, false);
  stage.engine.start();
  await until(() => stage.loop.hasNetwork && stage.loop.problem === undefined);
});

test("Docker that is not there at the start is told, and used once it comes", async () => {
  await using stage = new Stage((engine) => engine.stop());
  await until(() => stage.loop.problem?.startsWith("DOCKER_UNREACHABLE") === true);
  stage.engine.start();
  await until(() => stage.loop.hasNetwork && stage.loop.problem === undefined);
});

test("a leak is freed once two looks ten seconds apart saw it, not by a jump of the wall clock", async () => {
  await using stage = new Stage();
  await until(() => stage.loop.hasNetwork);
  // As old as the wall clock: just what a lease looks like after a jump.
  stage.leases = [LEAK];
  await stage.lookAfter(0);
  await stage.lookAfter(9_999);
  await stage.lookAfter(0);
  assert.deepEqual(stage.freed, []);
  await stage.lookAfter(1);
  await until(() => stage.freed.length > 0);
  assert.deepEqual(stage.freed, [LEAK.address]);
});
