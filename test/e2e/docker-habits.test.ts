/**
 * What users do with Docker every day, on the network hansa: compose, connect and disconnect, published ports, prune, restart
 * policies, several networks, swarm mode beside us. Each habit is a recipe in docs/guides/docker.md, checked here in its words.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import {
  addressOf,
  eventually,
  fullMesh,
  hears,
  hosts,
  launch,
  must,
  NETWORK,
  serve,
  status,
} from "./cluster.ts";

let playground: Playground;
let first: Host;
let second: Host;
/** Not a node: a machine in the hosts' network. */
let stranger: Host;
/** Stays on host2 throughout, as the other end. */
let far: string;

before(async () => {
  playground = await hosts("e2ehab", 3);
  [first, second, stranger] = [1, 2, 3].map((id) => playground.host(id)) as [Host, Host, Host];
  await Promise.all([launch(first, 1, "host2"), launch(second, 2)]);
  await fullMesh([first, second], 15_000);
  far = await serve(second, "far");
});
after(() => playground?.down());

function docker(host: Host, ...words: string[]): Promise<string> {
  return must(host, "docker", ...words);
}

/** Starts a web server that says `name` and logs who asks, and returns once it answers on its own loopback. */
async function logging(host: Host, name: string, ...options: string[]): Promise<void> {
  const script = `echo ${name} > /index.html; exec httpd -f -vv -h /`;
  // As process 1 it hears no SIGTERM, and Docker would wait for 10 s.
  const run = ["run", "-d", "--name", name, "--stop-timeout", "1", ...options];
  await docker(host, ...run, "busybox", "sh", "-c", script);
  await eventually(`${name} serves`, 5_000, async () => {
    const own = await host.exec(["docker", "exec", name, "wget", "-qO-", "http://127.0.0.1/"]);
    return own.stdout.trim() === name ? true : undefined;
  });
}

/** Fetches on a host, as one of its processes. */
function fetched(host: Host, url: string): Promise<string> {
  return must(host, "wget", "-qO-", "-T", "10", "-t", "1", url);
}

/** Waits until the log of the web server `name` shows a request from `address`. */
async function askedBy(host: Host, name: string, address: string): Promise<void> {
  await eventually(`${name} was asked by ${address}`, 5_000, async () => {
    const { stdout, stderr } = await host.exec(["docker", "logs", name]);
    if ((stdout + stderr).includes(`[::ffff:${address}]:`)) return true;
    throw new Error(stdout + stderr);
  });
}

/** A web server of the host itself, outside Docker, that answers with the address it was asked from; ended by the caller. */
const ECHO_CLIENT = `import http.server,sys
class H(http.server.BaseHTTPRequestHandler):
  def do_GET(self):
    body=self.client_address[0].encode()
    self.send_response(200); self.send_header("content-length",str(len(body))); self.end_headers(); self.wfile.write(body)
  def log_message(self,*a): pass
s=http.server.HTTPServer((sys.argv[1],int(sys.argv[2])),H)
print("serving",flush=True)
s.serve_forever()`;

async function whileServing<T>(
  spawn: (argv: readonly string[]) => ReturnType<Host["spawn"]>,
  at: string,
  action: () => Promise<T>,
): Promise<T> {
  const server = spawn(["python3", "-c", ECHO_CLIENT, at, "8099"]);
  let said = "";
  for (const stream of [server.stdout, server.stderr]) {
    stream.on("data", (chunk) => {
      said += chunk;
    });
  }
  try {
    await eventually("the service of the host serves", 5_000, async () => {
      if (said.includes("serving")) return true;
      throw new Error(said);
    });
    return await action();
  } finally {
    server.kill("SIGKILL");
  }
}

const COMPOSE = `version: "3.7"
services:
  web:
    image: busybox
    command: sh -c "echo composed > /index.html; exec httpd -f -h /"
    networks: [hansa]
    ports: ["8085:80"]
  fixed:
    image: busybox
    command: sh -c "echo fixed > /index.html; exec httpd -f -h /"
    networks:
      hansa:
        ipv4_address: 10.33.0.80
networks:
  hansa:
    external: true
`;

test("a compose file with the external network hansa: up, reached from another host, down, up again", async () => {
  await must(first, "mkdir", "-p", "/tmp/shop");
  const wrote = await first.exec(["tee", "/tmp/shop/docker-compose.yml"], { stdin: COMPOSE });
  assert.equal(wrote.status, 0);
  const compose = (...words: string[]): Promise<string> =>
    must(
      first,
      "docker-compose",
      "--project-directory",
      "/tmp/shop",
      "-f",
      "/tmp/shop/docker-compose.yml",
      ...words,
    );
  for (const _ of ["first", "again"]) {
    await compose("up", "-d", "-t", "0");
    const web = await addressOf(first, await compose("ps", "-q", "web"));
    assert.match(web, /^10\.4\d\./);
    await hears(second, "far", web, "composed");
    await hears(second, "far", "10.33.0.80", "fixed");
    assert.equal(await fetched(stranger, `http://${first.ip()}:8085/`), "composed");
    // Twice up changes nothing, and services of one file know each other by name.
    await compose("up", "-d");
    const inside = ["exec", "-T", "fixed", "wget", "-qO-", "-T", "10", "http://web/"];
    assert.equal(await compose(...inside), "composed");
    assert.equal(await addressOf(first, await compose("ps", "-q", "web")), web);
    await compose("down", "-t", "0");
    // What is external is not compose's to remove.
    await docker(first, "network", "inspect", "hansa");
  }
});

test("docker network connect and disconnect of a running container", async () => {
  await logging(first, "late");
  await docker(first, "network", "connect", "hansa", "late");
  const address = await addressOf(first, "late");
  await hears(second, "far", address, "late");
  await hears(first, "late", far, "far");
  await docker(first, "network", "disconnect", "hansa", "late");
  assert.equal(await addressOf(first, "late"), "<no value>");
  const gone = await second.exec([
    "docker",
    "exec",
    "far",
    "wget",
    "-qO-",
    "-T",
    "2",
    `http://${address}/`,
  ]);
  assert.notEqual(gone.status, 0, gone.stdout);
  await docker(first, "network", "connect", "--ip", "10.33.0.9", "hansa", "late");
  await hears(second, "far", "10.33.0.9", "late");
  await docker(first, "rm", "-f", "late");
  await eventually("its address is given back", 10_000, async () => {
    const own = (await status(first)).ipam.entries.find(({ id }) => id === 1);
    return own?.active === 0 ? true : undefined;
  });
});

test("--ip holds through stop and start, and is refused while another container has it", async () => {
  assert.equal(await serve(first, "named", "--ip", "10.33.0.7"), "10.33.0.7");
  await docker(first, "stop", "-t", "0", "named");
  await docker(first, "start", "named");
  assert.equal(await addressOf(first, "named"), "10.33.0.7");
  await hears(second, "far", "10.33.0.7", "named");
  for (const host of [first, second]) {
    const twice = await host.exec([
      "docker",
      "run",
      "--rm",
      ...NETWORK,
      "--ip",
      "10.33.0.7",
      "busybox",
      "true",
    ]);
    assert.notEqual(twice.status, 0, host.name);
    assert.match(twice.stderr, /IPAM_ADDRESS_IN_USE/, host.name);
  }
  await docker(first, "rm", "-f", "named");
  assert.equal(await serve(second, "named", "--ip", "10.33.0.7"), "10.33.0.7");
  await docker(second, "rm", "-f", "named");
});

test("a published port answers the host itself, a node, a machine that is no node, and containers; with the client's address", async () => {
  await logging(first, "shop", ...NETWORK, "-p", "8080:80");
  const url = `http://${first.ip()}:8080/`;
  assert.equal(await fetched(first, url), "shop");
  assert.equal(await fetched(first, "http://127.0.0.1:8080/"), "shop");
  assert.equal(await fetched(second, url), "shop");
  await askedBy(first, "shop", second.ip());
  assert.equal(await fetched(stranger, url), "shop");
  await askedBy(first, "shop", stranger.ip());
  assert.equal(await docker(second, "exec", "far", "wget", "-qO-", "-T", "10", url), "shop");
  // Not through the outside of host2: it publishes nothing.
  const other = await stranger.exec([
    "wget",
    "-qO-",
    "-T",
    "2",
    "-t",
    "1",
    `http://${second.ip()}:8080/`,
  ]);
  assert.notEqual(other.status, 0);
});

test("between containers the receiver sees the sender's own address, on one host and on two", async () => {
  await logging(second, "receiver", ...NETWORK);
  const receiver = await addressOf(second, "receiver");
  await hears(second, "far", receiver, "receiver");
  await askedBy(second, "receiver", far);
  await hears(first, "shop", receiver, "receiver");
  await askedBy(second, "receiver", await addressOf(first, "shop"));
});

test("a process of the host reaches the containers of all hosts, and is seen by its node address", async () => {
  const receiver = await addressOf(second, "receiver");
  assert.equal(await fetched(second, `http://${receiver}/`), "receiver");
  await askedBy(second, "receiver", "10.32.0.2");
  assert.equal(await fetched(first, `http://${receiver}/`), "receiver");
  await askedBy(second, "receiver", "10.32.0.1");
});

test("a container reaches a service of its own host and of another host by the node's address", async () => {
  for (const server of [first, second]) {
    const node = `10.32.0.${server.number}`;
    await whileServing(
      (argv) => server.spawn(argv),
      "0.0.0.0",
      async () => {
        for (const [host, container] of [
          [first, "shop"],
          [second, "far"],
        ] as const) {
          const told = await docker(
            host,
            "exec",
            container,
            "wget",
            "-qO-",
            "-T",
            "10",
            `http://${node}:8099/`,
          );
          assert.equal(told, await addressOf(host, container), `${container} to ${server.name}`);
        }
      },
    );
  }
});

test("a container reaches the world outside, which sees its host's address", async () => {
  const { outside } = playground;
  await whileServing(
    (argv) => outside.spawn(argv),
    outside.address,
    async () => {
      for (const [host, container] of [
        [first, "shop"],
        [second, "far"],
      ] as const) {
        const url = `http://${outside.address}:8099/`;
        const told = await docker(host, "exec", container, "wget", "-qO-", "-T", "10", url);
        assert.equal(told, host.ip(), container);
      }
    },
  );
});

test("a container on two networks talks on both", async () => {
  await docker(first, "network", "create", "private");
  await logging(first, "backend", "--network", "private");
  await logging(first, "front", "--network", "private");
  await docker(first, "network", "connect", "hansa", "front");
  await logging(first, "back-to-front", ...NETWORK);
  await docker(first, "network", "connect", "private", "back-to-front");
  for (const name of ["front", "back-to-front"]) {
    await hears(second, "far", await addressOf(first, name), name);
    await hears(first, name, far, "far");
    assert.equal(
      await docker(first, "exec", name, "wget", "-qO-", "-T", "10", "http://backend/"),
      "backend",
    );
  }
  // The private network stays private: what is only there is not reached from the overlay.
  const format = "{{.NetworkSettings.Networks.private.IPAddress}}";
  const hidden = await docker(first, "inspect", "-f", format, "backend");
  const tried = await second.exec([
    "docker",
    "exec",
    "far",
    "wget",
    "-qO-",
    "-T",
    "2",
    `http://${hidden}/`,
  ]);
  assert.notEqual(tried.status, 0, tried.stdout);
  await docker(first, "rm", "-f", "backend", "front", "back-to-front");
  await docker(first, "network", "rm", "private");
});

test("docker network inspect shows the cluster's subnet, this host's gateway and containers", async () => {
  const [network] = JSON.parse(await docker(first, "network", "inspect", "hansa"));
  const { Driver, Scope, IPAM, Containers, Internal } = network;
  assert.deepEqual(
    { Driver, Scope, Internal },
    { Driver: "bridge", Scope: "local", Internal: false },
  );
  assert.equal(IPAM.Driver, "hansa");
  assert.deepEqual(IPAM.Config, [{ Subnet: "10.32.0.0/12", Gateway: "10.32.0.1" }]);
  const listed = Object.values(Containers as Record<string, { Name: string; IPv4Address: string }>);
  assert.deepEqual(
    listed.map(({ Name, IPv4Address }) => [Name, IPv4Address]),
    [["shop", `${await addressOf(first, "shop")}/12`]],
  );
});

test("restart policies: a crash, a docker restart, and what was stopped stays stopped", async () => {
  const crash =
    "[ -e /was ] || { touch /was; sleep 1; exit 3; }; echo crashed > /index.html; exec httpd -f -h /";
  await docker(
    first,
    "run",
    "-d",
    "--name",
    "crashing",
    "--restart",
    "on-failure:3",
    "--stop-timeout",
    "1",
    ...NETWORK,
    "busybox",
    "sh",
    "-c",
    crash,
  );
  await logging(first, "always", "--restart", "always", ...NETWORK);
  await logging(first, "stopped", "--restart", "unless-stopped", ...NETWORK);
  await docker(first, "stop", "-t", "0", "stopped");
  await eventually("it crashed and runs", 10_000, async () => {
    const [count, running] = (
      await docker(first, "inspect", "-f", "{{.RestartCount}} {{.State.Running}}", "crashing")
    ).split(" ");
    return count === "1" && running === "true" ? true : undefined;
  });
  const crashed = await eventually("it has an address", 5_000, async () => {
    return (await addressOf(first, "crashing")) || undefined;
  });
  await hears(second, "far", crashed, "crashed");
  await first.stopDocker();
  await first.startDocker();
  await eventually("what always runs does", 20_000, async () =>
    (await docker(first, "inspect", "-f", "{{.State.Running}}", "always")) === "true"
      ? true
      : undefined,
  );
  await hears(second, "far", await addressOf(first, "always"), "always");
  assert.equal(await docker(first, "inspect", "-f", "{{.State.Running}}", "stopped"), "false");
  await docker(first, "start", "stopped");
  await hears(second, "far", await addressOf(first, "stopped"), "stopped");
});

test("docker network prune and docker system prune: an unused network is made again, a used one stays", async () => {
  await docker(second, "network", "prune", "-f");
  await docker(second, "system", "prune", "-f");
  const kept = await docker(second, "network", "inspect", "-f", "{{.Id}}", "hansa");
  assert.match(kept, /^[0-9a-f]{64}$/);
  await docker(first, "rm", "-f", ...(await docker(first, "ps", "-aq")).split("\n"));
  for (const words of [
    ["network", "prune", "-f"],
    ["system", "prune", "-f"],
  ]) {
    const old = await docker(first, "network", "inspect", "-f", "{{.Id}}", "hansa");
    await docker(first, ...words);
    await eventually(`the network is back after ${words[0]} prune`, 10_000, async () => {
      const now = await first.exec(["docker", "network", "inspect", "-f", "{{.Id}}", "hansa"]);
      return now.status === 0 && now.stdout.trim() !== old ? true : undefined;
    });
    await serve(first, "fresh");
    // At once: its bridge is a new one, and has the settings by which the way to other hosts is found.
    const began = fairNow();
    await docker(first, "exec", "fresh", "wget", "-qO-", "-T", "10", `http://${far}/`);
    assert.ok(fairNow() - began < 2_500, "the way was found late");
    await docker(first, "rm", "-f", "fresh");
  }
  await fullMesh([first, second], 15_000);
});

test("swarm mode beside us: its services run and publish, our containers reach each other", async () => {
  await serve(first, "ours");
  await docker(first, "swarm", "init", "--advertise-addr", first.ip());
  const token = await docker(first, "swarm", "join-token", "-q", "worker");
  await docker(second, "swarm", "join", "--token", token, `${first.ip()}:2377`);
  await docker(first, "network", "create", "-d", "overlay", "--attachable", "swarmnet");
  const script = "echo service > /index.html; exec httpd -f -h /";
  await docker(
    first,
    ...["service", "create", "-d", "--name", "web", "--network", "swarmnet", "--replicas", "2"],
    // The test machine's kernel has no IPVS, which swarm's own load balancing needs.
    ...["--endpoint-mode", "dnsrr", "--publish", "mode=host,target=80,published=8090"],
    ...["--no-resolve-image", "busybox", "sh", "-c", script],
  );
  for (const host of [first, second]) {
    await eventually(`the service answers on ${host.name}`, 40_000, async () => {
      const answer = await stranger.exec([
        "wget",
        "-qO-",
        "-T",
        "2",
        "-t",
        "1",
        `http://${host.ip()}:8090/`,
      ]);
      return answer.stdout.trim() === "service" ? true : undefined;
    });
  }
  await hears(first, "ours", far, "far");
  await hears(second, "far", await addressOf(first, "ours"), "ours");
  // A container may be on both: the overlay of swarm and ours.
  await docker(first, "network", "connect", "swarmnet", "ours");
  await hears(first, "ours", far, "far");
  assert.equal(
    await docker(first, "exec", "ours", "wget", "-qO-", "-T", "10", "http://web/"),
    "service",
  );
  // Swarm does not take networks of one host for its services, and says so.
  const refused = await first.exec([
    "docker",
    "service",
    "create",
    "-d",
    ...NETWORK,
    "busybox",
    "true",
  ]);
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /network hansa not found/);
  await docker(first, "service", "rm", "web");
  await docker(second, "swarm", "leave");
  await docker(first, "swarm", "leave", "--force");
  await hears(second, "far", await addressOf(first, "ours"), "ours");
  await fullMesh([first, second], 15_000);
});
