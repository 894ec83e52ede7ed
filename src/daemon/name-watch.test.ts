import { test } from "node:test";
import { FakeEngine } from "../docker/fake-engine.ts";
import { silentLogger } from "../host/logger.ts";
import type { NameEntry } from "../names/name-set.ts";
import { NameWatch } from "./name-watch.ts";
import { until } from "./until.ts";

class Stage implements AsyncDisposable {
  readonly engine = new FakeEngine();
  /** Undefined before the first word. */
  told: readonly NameEntry[] | undefined;
  readonly #closing = new AbortController();
  readonly #watch: NameWatch;

  constructor() {
    let next = 1;
    this.engine.allocate = (wanted) => wanted || `10.40.0.${next++}`;
    this.#watch = new NameWatch({
      engine: this.engine,
      logger: silentLogger,
      tell: (entries) => {
        this.told = entries;
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
      for await (const event of this.engine.events(this.#closing.signal)) this.#watch.seen(event);
    })();
  }

  async run(name: string, network = "hansa"): Promise<void> {
    this.engine.createContainer({ name, network });
    await this.engine.startContainer(name);
  }

  get names(): string | undefined {
    return this.told
      ?.flatMap(({ names }) => names)
      .sort()
      .join();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#watch.close();
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
