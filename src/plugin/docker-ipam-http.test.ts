import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { closed } from "../../test/closed.ts";
import { HansaError } from "../errors.ts";
import { systemClock } from "../host/clock.ts";
import { silentLogger } from "../host/logger.ts";
import { unixRequest } from "../host/unix-http.ts";
import { listenUnix } from "../host/unix-listen.ts";
import type { Space } from "../ipam/lease-record.ts";
import { type Ipv4, parseIpv4 } from "../values/ipv4.ts";
import { AddressDesk, type ClaimResult, type Claims } from "./address-desk.ts";
import { createDockerIpam } from "./docker-ipam-http.ts";
import { LeaseJournal } from "./lease-journal.ts";

const ip = (text: string): Ipv4 => parseIpv4(text) ?? assert.fail(text);
const SUBNET = "10.32.0.0/12";
/** Of requests whose deadline is what is tested. */
const DEADLINE_MS = 400;
/** Of all others: it must not come before what they wait for. */
const LONG_MS = 60_000;

/** A daemon that says what the test tells it to. */
class FakeClaims implements Claims {
  connected = true;
  readonly asked: (Ipv4 | undefined)[] = [];
  answer: (address: Ipv4 | undefined) => Promise<ClaimResult | undefined> = () =>
    new Promise(() => undefined);

  claim(address: Ipv4 | undefined): Promise<ClaimResult | undefined> {
    this.asked.push(address);
    return this.answer(address);
  }
}

interface Stage {
  readonly desk: AddressDesk;
  readonly claims: FakeClaims;
  readonly socketPath: string;
  readonly server: Server;
  activations: number;
  ask(path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>>;
}

function space(start: string, count: number, ready = true): Space {
  return {
    ready,
    subnet: SUBNET,
    gateway: ip("10.32.0.1"),
    ranges: count === 0 ? [] : [{ start: ip(start), end: ip(start) + count }],
  };
}

async function onStage(work: (stage: Stage) => Promise<void>, deadlineMs = LONG_MS): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "hansa-ipam-http-"));
  const socketPath = join(directory, "ipam.sock");
  const journal = new LeaseJournal(directory, { logger: silentLogger });
  const claims = new FakeClaims();
  const desk = new AddressDesk(journal, systemClock, claims);
  const { server } = createDockerIpam({
    desk: () => desk,
    logger: silentLogger,
    activated: () => stage.activations++,
    deadlineMs,
  });
  const stage: Stage = {
    desk,
    claims,
    socketPath,
    server,
    activations: 0,
    async ask(path, body = {}) {
      const answer = await unixRequest({ socketPath, method: "POST", path, body });
      assert.equal(answer.status, 200);
      return answer.body as Readonly<Record<string, unknown>>;
    },
  };
  try {
    await listenUnix(server, socketPath);
    await work(stage);
  } finally {
    server.closeAllConnections();
    server.close();
    journal.close();
    await rm(directory, { recursive: true, force: true });
  }
}

const any = { PoolID: `hansa/${SUBNET}`, Address: "", Options: {} };
const named = (address: string) => ({ ...any, Address: address });
const gateway = (address: string) => ({
  ...named(address),
  Options: { RequestAddressType: "com.docker.network.gateway" },
});

test("a network's life as Docker plays it", async () => {
  await onStage(async ({ ask, desk }) => {
    desk.setSpace(space("10.40.0.0", 16));
    assert.deepEqual(await ask("/Plugin.Activate"), { Implements: ["IpamDriver"] });
    assert.deepEqual(await ask("/IpamDriver.GetCapabilities"), {
      RequiresMACAddress: false,
      RequiresRequestReplay: false,
    });
    const spaces = await ask("/IpamDriver.GetDefaultAddressSpaces");
    assert.equal(spaces["LocalDefaultAddressSpace"], "hansa-local");
    const pool = { AddressSpace: "hansa-local", Pool: SUBNET, SubPool: "", Options: {}, V6: false };
    const made = { PoolID: `hansa/${SUBNET}`, Pool: SUBNET, Data: {} };
    assert.deepEqual(await ask("/IpamDriver.RequestPool", pool), made);
    assert.deepEqual(await ask("/IpamDriver.RequestPool", { ...pool, Pool: "" }), made);
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await ask("/IpamDriver.RequestAddress", gateway("10.32.0.1")), {
        Address: "10.32.0.1/12",
        Data: {},
      });
    }
    const first = await ask("/IpamDriver.RequestAddress", any);
    assert.deepEqual(first, { Address: "10.40.0.0/12", Data: {} });
    assert.equal((await ask("/IpamDriver.RequestAddress", any))["Address"], "10.40.0.1/12");
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await ask("/IpamDriver.ReleaseAddress", named("10.40.0.0")), {});
      assert.deepEqual(await ask("/IpamDriver.ReleaseAddress", named("10.32.0.1")), {});
    }
    assert.equal((await ask("/IpamDriver.RequestAddress", any))["Address"], "10.40.0.2/12");
    assert.deepEqual(await ask("/IpamDriver.ReleasePool", { PoolID: `hansa/${SUBNET}` }), {});
    assert.deepEqual([...desk.book.leases.keys()], [ip("10.40.0.1"), ip("10.40.0.2")]);
  });
});

test("activation is told, once for each", async () => {
  await onStage(async (stage) => {
    await stage.ask("/Plugin.Activate");
    assert.equal(stage.activations, 1);
  });
});

test("refusals are one sentence with a code", async () => {
  await onStage(async ({ ask, desk, claims }) => {
    const pool = { Pool: SUBNET, SubPool: "", V6: false };
    const error = async (path: string, body: unknown) => (await ask(path, body))["Error"];
    assert.match(`${await error("/IpamDriver.RequestPool", pool)}`, /^IPAM_NOT_READY: /);
    assert.match(`${await error("/IpamDriver.RequestAddress", any)}`, /^IPAM_NOT_READY: /);
    desk.setSpace(space("10.40.0.0", 16));
    const wrong: [string, unknown, RegExp][] = [
      ["RequestPool", { ...pool, Pool: "10.0.0.0/8" }, /^IPAM_SUBNET_INVALID: .*10\.0\.0\.0\/8/],
      ["RequestPool", { ...pool, V6: true }, /^IPAM_SUBNET_INVALID: /],
      ["RequestPool", { ...pool, SubPool: "10.40.0.0/16" }, /^IPAM_SUBNET_INVALID: /],
      ["RequestPool", { Pool: 7 }, /^USAGE: /],
      ["RequestAddress", gateway("10.32.0.9"), /^IPAM_ADDRESS_RESERVED: .*10\.32\.0\.1/],
      ["RequestAddress", named("10.32.0.1"), /^IPAM_ADDRESS_RESERVED: 10\.32\.0\.1 /],
      ["RequestAddress", named("10.47.255.255"), /^IPAM_ADDRESS_RESERVED: /],
      ["RequestAddress", named("192.0.2.1"), /^IPAM_ADDRESS_RESERVED: .*outside/],
      ["RequestAddress", named("10.40.0"), /^USAGE: /],
      ["RequestAddress", { Address: { a: 1 } }, /^USAGE: /],
      ["ReleaseAddress", named("x"), /^USAGE: /],
      ["NoSuch", {}, /^USAGE: /],
    ];
    for (const [path, body, sentence] of wrong) {
      const text = `${await error(`/IpamDriver.${path}`, body)}`;
      assert.match(text, sentence);
      assert.ok(!text.includes("\n") && !text.endsWith("."), text);
    }
    assert.equal((await ask("/IpamDriver.RequestAddress", named("10.40.0.3")))["Error"], undefined);
    assert.match(
      `${await error("/IpamDriver.RequestAddress", named("10.40.0.3"))}`,
      /^IPAM_ADDRESS_IN_USE: 10\.40\.0\.3 /,
    );
    assert.deepEqual(claims.asked, []);
  });
});

test("an address of another node is asked for, and leased when the space has come", async () => {
  await onStage(async ({ ask, desk, claims }) => {
    desk.setSpace(space("10.40.0.0", 16));
    claims.answer = async (address) => {
      desk.setSpace({
        ...space("10.40.0.0", 16),
        ranges: [
          { start: address ?? 0, end: (address ?? 0) + 1 },
          { start: ip("10.40.0.0"), end: ip("10.40.0.0") + 16 },
        ],
      });
      return { ok: true };
    };
    const answer = await ask("/IpamDriver.RequestAddress", named("10.33.0.7"));
    assert.equal(answer["Address"], "10.33.0.7/12");
    assert.deepEqual(claims.asked, [ip("10.33.0.7")]);
    assert.equal(desk.book.leases.get(ip("10.33.0.7"))?.fixed, true);
  });
});

test("the daemon's refusal is passed on at once", async () => {
  await onStage(async ({ ask, desk, claims }) => {
    desk.setSpace(space("10.40.0.0", 16));
    claims.answer = async () => ({
      ok: false,
      code: "IPAM_OWNER_UNREACHABLE",
      message: "10.33.0.7 belongs to node 3, which cannot be reached",
    });
    const begin = performance.now();
    const answer = await ask("/IpamDriver.RequestAddress", named("10.33.0.7"));
    assert.equal(
      answer["Error"],
      "IPAM_OWNER_UNREACHABLE: 10.33.0.7 belongs to node 3, which cannot be reached",
    );
    assert.ok(performance.now() - begin < LONG_MS / 2);
  });
});

test("a request without space waits, and is answered when space arrives", async () => {
  await onStage(async ({ ask, desk, claims }) => {
    desk.setSpace(space("10.40.0.0", 0, false));
    const waiting = [1, 2, 3].map(() => ask("/IpamDriver.RequestAddress", any));
    while (claims.asked.length < 3) await pause(2);
    desk.setSpace(space("10.41.0.0", 8));
    const given = (await Promise.all(waiting)).map((answer) => answer["Address"]);
    assert.deepEqual(given.sort(), ["10.41.0.0/12", "10.41.0.1/12", "10.41.0.2/12"]);
    assert.deepEqual(claims.asked, [undefined, undefined, undefined]);
  });
});

test("every wait ends at the deadline with a sentence that says why", async () => {
  await onStage(async ({ ask, desk, claims }) => {
    const cases: [Space, unknown, boolean, RegExp][] = [
      [space("", 0, false), any, true, /^IPAM_NOT_READY: .*no node that could give/],
      [space("", 0, false), any, false, /^IPAM_NOT_READY: .*the daemon.*not running/],
      [space("10.40.0.0", 0), any, true, /^IPAM_EXHAUSTED: /],
      [space("10.40.0.0", 4), named("10.33.0.1"), true, /^IPAM_OWNER_UNREACHABLE: 10\.33\.0\.1/],
      [space("10.40.0.0", 4), named("10.33.0.1"), false, /^IPAM_OWNER_UNREACHABLE: .*daemon/],
    ];
    for (const [given, body, connected, sentence] of cases) {
      desk.setSpace(given);
      claims.connected = connected;
      const begin = performance.now();
      const answer = await ask("/IpamDriver.RequestAddress", body);
      const tookMs = performance.now() - begin;
      assert.match(`${answer["Error"]}`, sentence);
      assert.ok(tookMs > DEADLINE_MS * 0.8, `${tookMs} ms`);
    }
    assert.equal(desk.book.leases.size, 0);
  }, DEADLINE_MS);
});

test("a claim lost with its connection is asked again of the next daemon", async () => {
  await onStage(async ({ ask, desk, claims }) => {
    desk.setSpace(space("", 0, false));
    claims.answer = async () => {
      claims.connected = false;
      return undefined;
    };
    const waiting = ask("/IpamDriver.RequestAddress", any);
    while (claims.connected) await pause(2);
    claims.answer = async () => {
      desk.setSpace(space("10.40.0.0", 4));
      return { ok: true };
    };
    claims.connected = true;
    desk.wake();
    assert.equal((await waiting)["Address"], "10.40.0.0/12");
    assert.equal(claims.asked.length, 2);
  });
});

test("who hangs up while waiting leases nothing", async () => {
  await onStage(async ({ desk, claims, socketPath, server }) => {
    desk.setSpace(space("", 0, false));
    const socket = connect(socketPath);
    const body = JSON.stringify(any);
    socket.write(
      `POST /IpamDriver.RequestAddress HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    while (claims.asked.length === 0) await pause(2);
    socket.destroy();
    while ((await connectionsOf(server)) > 0) await pause(2);
    desk.setSpace(space("10.40.0.0", 4));
    await pause(0);
    assert.equal(desk.book.leases.size, 0);
  });
});

test("while the leases cannot be read every request says so", async () => {
  const directory = await mkdtemp(join(tmpdir(), "hansa-ipam-http-"));
  const socketPath = join(directory, "ipam.sock");
  const { server } = createDockerIpam({
    desk: () => {
      throw new HansaError("STATE_DAMAGED", "the lease file is damaged");
    },
    logger: silentLogger,
    activated: () => undefined,
  });
  try {
    await listenUnix(server, socketPath);
    for (const path of ["RequestPool", "RequestAddress", "ReleaseAddress"]) {
      const request = {
        socketPath,
        method: "POST",
        path: `/IpamDriver.${path}`,
        body: named("10.40.0.1"),
      } as const;
      const answer = await unixRequest(request);
      assert.deepEqual(answer.body, { Error: "STATE_DAMAGED: the lease file is damaged" });
    }
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
});

test("a request whose body never comes is cut off", async () => {
  await onStage(async ({ socketPath }) => {
    const socket = connect(socketPath);
    socket.write(
      "POST /IpamDriver.RequestAddress HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    );
    await closed(socket);
  }, DEADLINE_MS);
});

test("garbage is answered or cut off, and the next request is served", async () => {
  await onStage(async ({ ask, desk, socketPath }) => {
    desk.setSpace(space("10.40.0.0", 16));
    const post = (body: string, length = body.length): string =>
      `POST /IpamDriver.RequestAddress HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`;
    assert.match(await exchange(socketPath, post("{")), /USAGE: the request is not JSON/);
    assert.match(await exchange(socketPath, post("[1]")), /USAGE: .*not a JSON object/);
    assert.match(await exchange(socketPath, post("5")), /USAGE: .*not a JSON object/);
    assert.match(
      await exchange(socketPath, post("x".repeat(70_000))),
      /USAGE: .*longer than 65536/,
    );
    assert.match(await exchange(socketPath, post("{", 50)), /^$|408|400/);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await exchange(socketPath, Buffer.from(bytes));
      }),
      { numRuns: 30 },
    );
    assert.equal(desk.book.leases.size, 0);
    assert.equal((await ask("/IpamDriver.RequestAddress", any))["Address"], "10.40.0.0/12");
  }, DEADLINE_MS);
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** Sends bytes and hangs up our side; what came back until the other side ended. */
function exchange(socketPath: string, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(socketPath);
    socket.setTimeout(30_000, () => socket.destroy());
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (text.includes("}")) socket.destroy();
    });
    // The other side may cut us off while we write: that is an answer.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(text));
    socket.end(bytes);
  });
}
