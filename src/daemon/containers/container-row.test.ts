import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { containerSchema } from "../../api/container-schema.ts";
import { toContainer } from "../../docker/engine-json.ts";
import { containerRow, imageName } from "./container-row.ts";

const NODE = { id: 2, name: "host2" };

/** As Docker's inspect shows it, with what is different. */
function inspected({
  State = {},
  Config = {},
  HostConfig = {},
  NetworkSettings = {},
  ...rest
} = {}) {
  return {
    Id: "ab".repeat(32),
    Name: "/shop-web-1",
    Image: "sha256:1",
    Created: "2026-01-01T00:00:00.123456789Z",
    State: {
      ...{ Status: "running", Running: true, ExitCode: 0, Error: "" },
      ...{ StartedAt: "2026-01-01T00:01:00.5Z", FinishedAt: "0001-01-01T00:00:00Z", ...State },
    },
    Config: {
      Image: "nginx",
      ExposedPorts: { "80/tcp": {}, "443/tcp": {} },
      Labels: {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "web",
        "com.docker.compose.depends_on": "db:service_started:false,cache:service_healthy:true",
      },
      ...Config,
    },
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] }, ...HostConfig },
    NetworkSettings: {
      Networks: { hansa: { IPAddress: "10.40.0.1" }, bridge: { IPAddress: "172.17.0.2" } },
      Ports: {
        "80/tcp": [
          { HostIp: "0.0.0.0", HostPort: "8080" },
          { HostIp: "::", HostPort: "8080" },
        ],
        "443/tcp": null,
      },
      ...NetworkSettings,
    },
    ...rest,
  };
}

const rowOf = (value: unknown, hasImage = true) =>
  containerRow(NODE, { ...toContainer(value), hasImage });

test("a service of a compose project is a row with its group, name, ports and dependencies", () => {
  assert.deepEqual(rowOf(inspected()), {
    node: NODE,
    id: "ab".repeat(32),
    group: "shop",
    name: "web",
    dockerName: "shop-web-1",
    image: "nginx:latest",
    addresses: ["10.40.0.1"],
    ports: [
      { port: 80, protocol: "tcp", hostPort: 8080, hostAddress: null },
      { port: 443, protocol: "tcp", hostPort: null, hostAddress: null },
    ],
    dependsOn: ["shop.cache", "shop.db"],
    imageState: { state: "pulled", percent: null, error: null },
    engine: "docker",
    engineState: "running",
    state: "running",
    stateSince: "2026-01-01T00:01:00.500Z",
    exitCode: null,
    error: null,
  });
});

test("a container by itself has its own name, and what was asked for while it does not run", () => {
  const row = rowOf(
    inspected({
      Config: { Labels: {}, ExposedPorts: { "53/udp": {} } },
      HostConfig: { PortBindings: { "53/udp": [{ HostIp: "127.0.0.1", HostPort: "" }] } },
      NetworkSettings: { Networks: { hansa: { IPAddress: "" } }, Ports: {} },
      State: { Status: "created", Running: false, StartedAt: "0001-01-01T00:00:00Z" },
    }),
    false,
  );
  assert.deepEqual(
    [row.group, row.name, row.dependsOn, row.addresses, row.imageState.state, row.state],
    [null, "shop-web-1", [], [], "idle", "created"],
  );
  assert.deepEqual(row.ports, [{ port: 53, protocol: "udp", hostPort: null, hostAddress: null }]);
  assert.equal(row.stateSince, "2026-01-01T00:00:00.123Z");
});

test("life states follow from the engine's state, health, exit code and error", () => {
  const ended = { Status: "exited", Running: false, FinishedAt: "2026-01-02T00:00:00Z" };
  for (const [State, state, since] of [
    [{ Health: { Status: "starting" } }, "starting", "2026-01-01T00:01:00.500Z"],
    [{ Health: { Status: "healthy" } }, "running", "2026-01-01T00:01:00.500Z"],
    [{ Health: { Status: "unhealthy" } }, "unhealthy", null],
    [{ Status: "paused", Paused: true }, "paused", null],
    [{ ...ended, Status: "restarting", ExitCode: 1 }, "restarting", "2026-01-02T00:00:00.000Z"],
    [ended, "stopped", "2026-01-02T00:00:00.000Z"],
    [{ ...ended, ExitCode: 137 }, "stopped", "2026-01-02T00:00:00.000Z"],
    [{ ...ended, ExitCode: 137, OOMKilled: true }, "failed", "2026-01-02T00:00:00.000Z"],
    [{ ...ended, ExitCode: 1 }, "failed", "2026-01-02T00:00:00.000Z"],
    [{ ...ended, Status: "dead" }, "failed", "2026-01-02T00:00:00.000Z"],
    [{ Status: "created", Running: false, Error: "no" }, "failed", "2026-01-01T00:00:00.123Z"],
  ] as const) {
    const row = rowOf(inspected({ State }));
    assert.deepEqual([row.state, row.stateSince], [state, since], JSON.stringify(State));
  }
});

test("an image is named with its tag; ids and digests stay as they are", () => {
  for (const [image, name] of [
    ["nginx", "nginx:latest"],
    ["nginx:1", "nginx:1"],
    ["registry:5000/a/b", "registry:5000/a/b:latest"],
    ["registry:5000/a/b:2", "registry:5000/a/b:2"],
    ["a@sha256:12", "a@sha256:12"],
    [`sha256:${"a".repeat(64)}`, `sha256:${"a".repeat(64)}`],
    ["", ""],
  ] as const) {
    assert.equal(imageName(image), name);
  }
});

test("whatever the engine answers, the row is one by the schema", () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.jsonValue(),
      fc.jsonValue(),
      (State, Config, NetworkSettings) => {
        containerSchema.parse(rowOf({ ...inspected(), State, Config, NetworkSettings }));
      },
    ),
  );
});
