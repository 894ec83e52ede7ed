import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectEvent } from "../../docker/engine.ts";
import { FakeEngine } from "../../docker/fake-engine.ts";
import { silentLogger } from "../../host/logger.ts";
import { nameEntryOf } from "../names/container-names.ts";
import { until } from "../timing/until.ts";
import { ContainerWatch } from "./container-watch.ts";

class Stage implements AsyncDisposable {
  readonly engine = new FakeEngine();
  /** The changes in order, as words. */
  readonly told: string[] = [];
  readonly #closing = new AbortController();
  readonly watch: ContainerWatch;

  constructor() {
    let next = 1;
    this.engine.allocate = (wanted) => wanted || `10.40.0.${next++}`;
    this.watch = new ContainerWatch({
      engine: this.engine,
      logger: silentLogger,
      told: (change) => {
        const { container } = { container: undefined, ...change };
        this.told.push(container ? `${container.name} ${container.status}` : change.type);
      },
    });
  }

  async begin(): Promise<void> {
    await this.engine.createNetwork({
      name: "hansa",
      driver: "bridge",
      ipamDriver: "hansa",
      subnet: "10.32.0.0/12",
      gateway: "10.32.0.1",
      options: {},
      labels: {},
    });
  }

  follow(): void {
    void (async () => {
      for await (const event of this.engine.events(this.#closing.signal)) this.watch.seen(event);
    })();
  }

  async run(name: string, network = "hansa"): Promise<void> {
    this.engine.createContainer({ name, network });
    await this.engine.startContainer(name);
  }

  /** What runs, by its names; undefined before all are known. */
  get names(): string | undefined {
    if (!this.told.includes("listed")) return undefined;
    return [...this.watch.containers.values()]
      .flatMap((container) => nameEntryOf(container)?.names ?? [])
      .sort()
      .join();
  }

  /** "name status" of all, also of those that do not run. */
  get states(): string {
    return [...this.watch.containers.values()]
      .map(({ name, status }) => `${name} ${status}`)
      .sort()
      .join();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.watch.close();
  }
}

test("what ran before is told at once, and that nothing runs too", async () => {
  await using stage = new Stage();
  await stage.begin();
  await stage.run("old");
  stage.engine.createContainer({ name: "never-started", network: "hansa" });
  await stage.run("elsewhere", "bridge");
  stage.follow();
  await until(() => stage.names === "old");
  assert.equal(stage.states, "never-started created,old running");
  assert.deepEqual(stage.told, ["listed"]);
  await using empty = new Stage();
  empty.follow();
  await until(() => empty.names === "");
});

test("starts, ends, and coming and going on the network are followed", async () => {
  await using stage = new Stage();
  await stage.begin();
  stage.follow();
  await until(() => stage.names === "");
  await stage.run("a");
  await stage.run("b", "bridge");
  await until(() => stage.names === "a");
  await stage.engine.connectNetwork("hansa", "b", { aliases: ["bee"] });
  await until(() => stage.names === "a,b,bee");
  await stage.engine.disconnectNetwork("hansa", "b", false);
  await until(() => stage.names === "a");
  stage.engine.stopContainer("a");
  await until(() => stage.names === "");
  await stage.engine.startContainer("a");
  await until(() => stage.names === "a");
  stage.engine.removeContainer("a");
  await until(() => stage.names === "");
});

test("after Docker was away all is looked at again; while it is away names stay", async () => {
  await using stage = new Stage();
  await stage.begin();
  stage.follow();
  stage.engine.createContainer({ name: "kept", network: "hansa", restartPolicy: "always" });
  await stage.engine.startContainer("kept");
  await stage.run("gone");
  await until(() => stage.names === "gone,kept");
  stage.engine.stop();
  stage.engine.start();
  await until(() => stage.names === "kept");
});

test("an end is told before Docker is asked about it, with its exit code and without an address", async () => {
  await using stage = new Stage();
  await stage.begin();
  await stage.run("a");
  stage.follow();
  await until(() => stage.names === "a");
  stage.told.length = 0;
  stage.engine.inspectContainer = () => new Promise(() => undefined);
  stage.engine.stopContainer("a");
  await until(() => stage.told.length > 0);
  assert.deepEqual(stage.told, ["a exited"]);
  const [a] = stage.watch.containers.values();
  assert.deepEqual([a?.running, a?.attachments.map(({ address }) => address)], [false, [""]]);
});

test("an image that goes or comes back is told of its containers", async () => {
  await using stage = new Stage();
  await stage.begin();
  stage.engine.createContainer({ name: "a", network: "hansa" });
  stage.follow();
  await until(() => stage.names === "");
  const [before] = stage.watch.containers.values();
  assert.equal(before?.hasImage, true);
  let asked = 0;
  const { inspectContainer } = stage.engine;
  stage.engine.inspectContainer = (name) => {
    asked += 1;
    return inspectContainer.call(stage.engine, name);
  };
  stage.engine.removeImage();
  await until(() => [...stage.watch.containers.values()][0]?.hasImage === false);
  assert.equal(asked, 0, "containers are not inspected for it");
});

test("actions that change nothing do not make Docker be asked", async () => {
  await using stage = new Stage();
  await stage.begin();
  await stage.run("a");
  stage.follow();
  await until(() => stage.names === "a");
  let asked = 0;
  const { inspectContainer } = stage.engine;
  stage.engine.inspectContainer = (name) => {
    asked += 1;
    return inspectContainer.call(stage.engine, name);
  };
  const [id = ""] = stage.watch.containers.keys();
  const event = (action: string, kind: ObjectEvent["kind"] = "container"): ObjectEvent => ({
    ...{ kind, action, id, attributes: {}, timeMs: 1 },
  });
  for (const action of ["exec_create: sh", "exec_start: sh", "top", "attach", "resize", "kill"]) {
    stage.watch.seen(event(action));
  }
  stage.watch.seen(event("prune", "image"));
  stage.watch.seen(event("health_status: healthy"));
  await until(() => asked > 0);
  assert.equal(asked, 1);
});
