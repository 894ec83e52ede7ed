import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isHansaError } from "../errors.ts";
import { DockerdProcess, dockerdImpossible } from "./dockerd-process.ts";
import { engineSocket, HttpEngine } from "./engine-http.ts";
import { engineSuite } from "./engine-suite.ts";

const impossible = await dockerdImpossible();

if (impossible !== undefined) {
  test("HttpEngine: with a real dockerd", { skip: impossible });
} else {
  let docker: DockerdProcess;
  let engine: HttpEngine;
  before(async () => {
    docker = await DockerdProcess.create();
    engine = new HttpEngine(docker.socket);
  });
  after(() => docker?.remove());
  engineSuite("HttpEngine", () => ({
    engine,
    ipamDriver: "default",
    createContainer: (name, network, address) =>
      docker.docker(
        ...["create", "--name", name, "--network", network, "--stop-signal", "KILL"],
        ...(address === undefined ? [] : ["--ip", address]),
        ...["busybox", "/bin/busybox", "sleep", "600"],
      ),
    stopContainer: async (name) => void (await docker.docker("stop", name)),
    removeContainer: async (name) => void (await docker.docker("rm", "-f", name)),
    stop: () => docker.stop(),
    start: () => docker.start(),
  }));
}

async function withServer(
  listener: RequestListener,
  work: (engine: HttpEngine, socketPath: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "hansa-engine-"));
  const socketPath = join(directory, "docker.sock");
  const server = createServer(listener);
  try {
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    await work(new HttpEngine(socketPath), socketPath);
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

test("an Engine that is not there is unreachable, with a hint", async () => {
  const engine = new HttpEngine("/nonexistent/docker.sock");
  await assert.rejects(
    engine.info(),
    (error) =>
      isHansaError(error, "DOCKER_UNREACHABLE") &&
      /no Docker Engine/.test(error.message) &&
      /DOCKER_HOST/.test(error.hint),
  );
});

test("the older of both API versions is spoken", async () => {
  for (const [theirs, spoken] of [
    ["1.40", "1.40"],
    ["1.47", "1.47"],
    ["1.99", "1.52"],
  ]) {
    await withServer(
      (request, response) => {
        if (request.url === "/_ping") response.setHeader("Api-Version", `${theirs}`);
        response.end(JSON.stringify({ ID: request.url }));
      },
      async (engine) => {
        const info = await engine.info();
        assert.deepEqual([info.id, info.apiVersion], [`/v${spoken}/info`, spoken]);
      },
    );
  }
});

test("an Engine older than API 1.40 is refused", async () => {
  await withServer(
    (_request, response) => {
      response.setHeader("Api-Version", "1.38");
      response.end("OK");
    },
    (engine) => assert.rejects(engine.info(), (error) => isHansaError(error, "DOCKER_TOO_OLD")),
  );
});

test("an answer that is not Docker's becomes empty values or one of our errors", async () => {
  for (const body of ["", "garbage", "[]", "null", '{"ID":5,"Containers":[1]}', '{"IPAM":"x"}']) {
    await withServer(
      (request, response) => {
        if (request.url === "/_ping") response.setHeader("Api-Version", "1.41");
        response.end(body);
      },
      async (engine) => {
        assert.equal((await engine.info()).id, "");
        assert.deepEqual((await engine.inspectNetwork("x"))?.endpoints, []);
        assert.deepEqual((await engine.inspectContainer("x"))?.attachments, []);
        assert.ok(Array.isArray(await engine.listContainers()));
      },
    );
  }
});

test("an Engine that closes without a word is unreachable", async () => {
  await withServer(
    (request) => request.socket.destroy(),
    (engine) => assert.rejects(engine.info(), (error) => isHansaError(error, "DOCKER_UNREACHABLE")),
  );
});

test("after a broken event stream only what came since is asked for", async () => {
  const asked: string[] = [];
  await withServer(
    (request, response) => {
      if (request.url === "/_ping") response.setHeader("Api-Version", "1.41").end("OK");
      else {
        asked.push(request.url ?? "");
        const event = { Type: "container", Action: "start", Actor: { ID: "c1" }, timeNano: 5e18 };
        response.write(`${JSON.stringify(event)}\n{"Type":"volume"}\n`);
        if (asked.length === 2) response.write("garbage\n");
        response.end();
      }
    },
    async (engine) => {
      const abort = new AbortController();
      const kinds: string[] = [];
      for await (const event of engine.events(abort.signal)) {
        kinds.push(event.kind);
        if (kinds.length === 7) abort.abort();
      }
      assert.deepEqual(kinds.slice(0, 6), [
        "resync",
        "container",
        "lost",
        "resync",
        "container",
        "lost",
      ]);
      assert.ok(!asked[0]?.includes("since=") && asked[1]?.includes("since=5000000000.000"));
    },
  );
});

test("DOCKER_HOST names the socket, and nothing but a unix socket", () => {
  assert.equal(engineSocket({}), "/var/run/docker.sock");
  assert.equal(engineSocket({ DOCKER_HOST: "unix:///tmp/d.sock" }), "/tmp/d.sock");
  assert.throws(
    () => engineSocket({ DOCKER_HOST: "tcp://1.2.3.4:2375" }),
    (error) => isHansaError(error, "USAGE"),
  );
});
