/** What every Engine must do, run against the fake and, where one can be started, against a real Docker. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import type { ExecSpec, LogsSpec } from "./container-engine.ts";
import type { Engine, EngineEvent, NetworkSpec } from "./engine.ts";

/** An Engine to try, and the things that users do to it by the docker command. */
export interface EngineWorld {
  readonly engine: Engine;
  /** `ipamDriver` the Engine has without a plugin. */
  readonly ipamDriver: string;
  createContainer(name: string, network: string, address?: string): Promise<string>;
  stopContainer(name: string): Promise<void>;
  removeContainer(name: string): Promise<void>;
  /** dockerd goes away. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const DEADLINE_MS = 20_000;

export function engineSuite(title: string, world: () => EngineWorld): void {
  const spec = (name: string): NetworkSpec => ({
    name,
    driver: "bridge",
    ipamDriver: world().ipamDriver,
    subnet: "10.201.0.0/16",
    gateway: "10.201.0.1",
    options: { "com.docker.network.bridge.name": "hsuite0" },
    labels: { "hansa.test": "yes" },
  });

  test(`${title}: info names the Engine, its version and API`, async () => {
    const info = await world().engine.info();
    assert.match(info.id, /.{8}/);
    assert.match(info.version, /^\d+\.\d+/);
    assert.match(info.apiVersion, /^1\.\d+$/);
  });

  test(`${title}: a network is created, found by name and id, and removed once`, async () => {
    const { engine } = world();
    const id = await engine.createNetwork(spec("suite-a"));
    try {
      const byName = await engine.inspectNetwork("suite-a");
      assert.deepEqual(byName, { ...spec("suite-a"), id, endpoints: [] });
      assert.deepEqual(await engine.inspectNetwork(id), byName);
      await assert.rejects(engine.createNetwork(spec("suite-a")), refusedBy(/already exists/));
    } finally {
      assert.equal(await engine.removeNetwork("suite-a"), true);
    }
    assert.equal(await engine.removeNetwork("suite-a"), false);
    assert.equal(await engine.inspectNetwork("suite-a"), undefined);
  });

  test(`${title}: a container holds its fixed address while it runs`, async () => {
    const { engine, createContainer, stopContainer, removeContainer } = world();
    await engine.createNetwork(spec("suite-b"));
    const id = await createContainer("suite-one", "suite-b", "10.201.7.7");
    try {
      const created = await engine.inspectContainer("suite-one");
      assert.equal(created?.status, "created");
      assert.equal(created?.attachments[0]?.fixedAddress, "10.201.7.7");
      assert.equal(created?.attachments[0]?.address, "");
      assert.equal(await engine.startContainer("suite-one"), true);
      assert.equal(await engine.startContainer(id), true);
      const running = await engine.inspectContainer(id);
      assert.equal(running?.running, true);
      assert.equal(running?.attachments[0]?.address, "10.201.7.7");
      const endpoints = (await engine.inspectNetwork("suite-b"))?.endpoints;
      assert.deepEqual(
        endpoints?.map(({ containerId, address }) => ({ containerId, address })),
        [{ containerId: id, address: "10.201.7.7" }],
      );
      await assert.rejects(engine.removeNetwork("suite-b"), refusedBy(/active endpoints/));
      await stopContainer("suite-one");
      assert.equal((await engine.inspectContainer(id))?.status, "exited");
      assert.deepEqual((await engine.inspectNetwork("suite-b"))?.endpoints, []);
    } finally {
      await removeContainer("suite-one");
      await engine.removeNetwork("suite-b");
    }
    assert.equal(await engine.inspectContainer(id), undefined);
    assert.equal(await engine.startContainer(id), false);
  });

  test(`${title}: containers are listed by network, stopped ones too`, async () => {
    const { engine, createContainer, removeContainer } = world();
    await engine.createNetwork(spec("suite-c"));
    const inside = await createContainer("suite-in", "suite-c");
    const outside = await createContainer("suite-out", "bridge");
    try {
      const all = (await engine.listContainers()).map((each) => each.id);
      assert.ok(all.includes(inside) && all.includes(outside));
      const [only, ...more] = await engine.listContainers({ network: "suite-c" });
      assert.deepEqual([only?.id, only?.name, more.length], [inside, "suite-in", 0]);
      assert.deepEqual(await engine.listContainers({ network: "suite-none" }), []);
    } finally {
      await removeContainer("suite-in");
      await removeContainer("suite-out");
      await engine.removeNetwork("suite-c");
    }
  });

  test(`${title}: a running container is connected and disconnected`, async () => {
    const { engine, createContainer, removeContainer } = world();
    await engine.createNetwork(spec("suite-d"));
    const id = await createContainer("suite-move", "bridge");
    try {
      await engine.startContainer(id);
      await engine.connectNetwork("suite-d", id, { address: "10.201.9.9", aliases: ["moved"] });
      const attached = (await engine.inspectContainer(id))?.attachments;
      const attachment = attached?.find((each) => each.network === "suite-d");
      assert.equal(attachment?.address, "10.201.9.9");
      assert.ok(attachment?.aliases.includes("moved"));
      await engine.disconnectNetwork("suite-d", id, false);
      assert.deepEqual((await engine.inspectNetwork("suite-d"))?.endpoints, []);
      await assert.rejects(engine.disconnectNetwork("suite-d", id, false), refusedBy(/./));
    } finally {
      await removeContainer("suite-move");
      await engine.removeNetwork("suite-d");
    }
  });

  test(`${title}: events begin with a resync and tell what happens`, async () => {
    const { engine, createContainer, removeContainer } = world();
    const stream = new Recorder(engine);
    try {
      await stream.until((event) => event.kind === "resync");
      const id = await createContainer("suite-seen", "bridge");
      await engine.startContainer(id);
      await removeContainer("suite-seen");
      for (const action of ["start", "die", "destroy"]) {
        await stream.until(
          (event) =>
            event.kind === "container" &&
            event.action === action &&
            event.id === id &&
            event.attributes["name"] === "suite-seen",
        );
      }
    } finally {
      await stream.close();
    }
  });

  test(`${title}: commands run in a container with input, outputs, variables, folder and exit status`, async () => {
    const { engine, createContainer, removeContainer } = world();
    const id = await createContainer("suite-exec", "bridge");
    const spec: ExecSpec = {
      ...{ command: [], environment: [], user: "", workdir: "", tty: false, stdin: false },
    };
    const run = async (different: Partial<ExecSpec>, input?: string) => {
      // The image has nothing but busybox.
      const command = ["/bin/busybox", ...(different.command ?? [])];
      const process = await engine.inside.exec(id, { ...spec, ...different, command });
      if (input !== undefined) {
        await process.write(Buffer.from(input));
        process.endInput();
      }
      const got = { stdout: "", stderr: "" };
      for await (const { kind, bytes } of process.output) got[kind] += bytes.toString();
      const code = await process.exitCode();
      process.close();
      return { ...got, code };
    };
    try {
      await assert.rejects(run({ command: ["pwd"] }), refusedBy(/is not running/));
      await engine.startContainer(id);
      const script = "echo out; echo bad >&2; exit 3";
      const answer = await run({ command: ["sh", "-c", script] });
      assert.deepEqual(answer, { stdout: "out\n", stderr: "bad\n", code: 3 });
      const terminal = await run({ command: ["sh", "-c", script], tty: true });
      assert.equal(terminal.stderr, "");
      const long = "0123456789".repeat(20_000);
      assert.equal((await run({ command: ["cat"], stdin: true }, long)).stdout, long);
      assert.equal((await run({ command: ["pwd"], workdir: "/bin" })).stdout, "/bin\n");
      const named = { command: ["sh", "-c", "echo $SUITE"], environment: ["SUITE=two words"] };
      assert.equal((await run(named)).stdout, "two words\n");
      const missing = await engine.inside.exec(id, { ...spec, command: ["no-such-program"] });
      let words = "";
      for await (const { bytes } of missing.output) words += bytes.toString();
      assert.match(words, /executable file not found/);
      assert.ok((await missing.exitCode()) >= 126);
      await assert.rejects(
        engine.inside.exec("suite-none", { ...spec, command: ["pwd"] }),
        (error) => isHansaError(error, "CONTAINER_NOT_FOUND"),
      );
    } finally {
      await removeContainer("suite-exec");
    }
  });

  test(`${title}: logs come with times, from a time on, by their end, and as they are written`, async () => {
    const { engine, createContainer, removeContainer, stopContainer } = world();
    const id = await createContainer("suite-logs", "bridge");
    const abort = new AbortController();
    const all = { follow: false, since: "", until: "", tail: undefined };
    const read = async (different: Partial<LogsSpec>): Promise<string[]> => {
      const got: string[] = [];
      for await (const output of engine.inside.logs(id, { ...all, ...different }, abort.signal)) {
        const [time = "", ...words] = output.bytes.toString().trimEnd().split(" ");
        assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z$/);
        got.push(`${output.kind} ${words.join(" ")}`);
      }
      return got;
    };
    const write = async (word: string, to: 1 | 2): Promise<void> => {
      const command = ["/bin/busybox", "sh", "-c", `echo ${word} > /proc/1/fd/${to}`];
      const spec = { command, environment: [], user: "", workdir: "", tty: false, stdin: false };
      const process = await engine.inside.exec(id, spec);
      for await (const _output of process.output);
      process.close();
    };
    try {
      await engine.startContainer(id);
      await write("one", 1);
      await write("two", 2);
      const deadline = performance.now() + DEADLINE_MS;
      // Docker writes them down in its own time.
      while ((await read({})).length < 2 && performance.now() < deadline);
      assert.deepEqual(await read({}), ["stdout one", "stderr two"]);
      assert.deepEqual(await read({ tail: 1 }), ["stderr two"]);
      assert.deepEqual(await read({ since: "4000000000" }), []);
      const following = read({ follow: true, tail: 1 });
      await write("three", 1);
      while ((await read({})).length < 3 && performance.now() < deadline);
      await stopContainer("suite-logs");
      assert.deepEqual(await following, ["stderr two", "stdout three"]);
      const none = engine.inside.logs("suite-none", all, abort.signal);
      await assert.rejects(none[Symbol.asyncIterator]().next(), (error) =>
        isHansaError(error, "CONTAINER_NOT_FOUND"),
      );
    } finally {
      await removeContainer("suite-logs");
    }
  });

  test(`${title}: an archive that is written is there to be read, and what is not there is undefined`, async () => {
    const { engine, createContainer, removeContainer } = world();
    const id = await createContainer("suite-files", "bridge");
    const { signal } = new AbortController();
    async function* archive(): AsyncGenerator<Buffer> {
      const header = Buffer.alloc(512);
      const fields = { 0: "suite-file", 100: "0000751", 108: "0000000", 116: "0000000" };
      for (const [at, text] of Object.entries(fields)) header.write(text, Number(at), "latin1");
      header.write("00000000005\x0000000000000\x00        0", 124, "latin1");
      header.write("ustar\x0000", 257, "latin1");
      const sum = header.reduce((all, byte) => all + byte, 0);
      header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
      yield header;
      yield Buffer.concat([Buffer.from("hello"), Buffer.alloc(507 + 1024)]);
    }
    try {
      assert.equal(await engine.inside.writeArchive(id, "/none", archive(), signal), false);
      assert.equal(await engine.inside.writeArchive(id, "/", archive(), signal), true);
      assert.equal((await engine.inside.statPath(id, "/suite-file"))?.name, "suite-file");
      assert.equal(await engine.inside.statPath(id, "/none"), undefined);
      assert.equal(await engine.inside.readArchive(id, "/none", signal), undefined);
      const found = await engine.inside.readArchive(id, "/suite-file", signal);
      const chunks: Buffer[] = [];
      for await (const chunk of found?.bytes ?? []) chunks.push(Buffer.from(chunk));
      const bytes = Buffer.concat(chunks);
      assert.equal(bytes.toString("latin1", 0, 10), "suite-file");
      assert.equal(bytes.toString("latin1", 512, 517), "hello");
    } finally {
      await removeContainer("suite-files");
    }
  });

  test(`${title}: a stopped Engine is unreachable, and events resync when it is back`, async () => {
    const { engine, stop, start } = world();
    const stream = new Recorder(engine);
    try {
      await stream.until((event) => event.kind === "resync");
      await stop();
      await stream.until((event) => event.kind === "lost");
      await assert.rejects(engine.info(), (error) => isHansaError(error, "DOCKER_UNREACHABLE"));
      const before = stream.seen.length;
      await start();
      await stream.until((event, index) => event.kind === "resync" && index >= before);
      assert.match((await engine.info()).id, /.{8}/);
    } finally {
      await stream.close();
    }
  });
}

function refusedBy(words: RegExp): (error: unknown) => boolean {
  return (error) => isHansaError(error, "DOCKER_REFUSED") && words.test(error.message);
}

/** Collects events and waits for one. */
class Recorder {
  readonly seen: EngineEvent[] = [];
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;
  #wake = (): void => undefined;

  constructor(engine: Engine) {
    this.#done = this.#run(engine);
  }

  async until(wanted: (event: EngineEvent, index: number) => boolean): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!this.seen.some(wanted)) {
      const left = deadline - performance.now();
      assert.ok(left > 0, `the event did not come; seen: ${JSON.stringify(this.seen)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }

  async #run(engine: Engine): Promise<void> {
    for await (const event of engine.events(this.#abort.signal)) {
      this.seen.push(event);
      this.#wake();
    }
  }
}
