import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { fairNow } from "../../test/fair-time.ts";
import { isHansaError } from "../errors.ts";
import { systemClock } from "../host/clock.ts";
import { MAX_LINE_BYTES } from "../host/line-channel.ts";
import { silentLogger } from "../host/logger.ts";
import { AddressDesk, type ClaimResult } from "./address-desk.ts";
import { ControlClient, type PluginState } from "./control-client.ts";
import type { Usage } from "./control-codec.ts";
import { ControlServer } from "./control-server.ts";
import { LeaseJournal } from "./lease-journal.ts";

const START = 0x0a280000;
const SPACE = {
  ready: true,
  subnet: "10.32.0.0/12",
  gateway: 0x0a200001,
  ranges: [{ start: START, end: START + 256 }],
};
const NEVER = new AbortController().signal;

/** A plugin in this process, and the daemons that talk to it. */
class Stage implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "hansa-control-"));
  readonly path = join(this.directory, "control.sock");
  readonly journal = new LeaseJournal(this.directory, { logger: silentLogger });
  server = new ControlServer(silentLogger);
  desk = new AddressDesk(this.journal, systemClock, this.server);
  readonly daemons: FakeDaemon[] = [];

  async listen(): Promise<void> {
    this.server = new ControlServer(silentLogger);
    this.desk = new AddressDesk(this.journal, systemClock, this.server);
    await this.server.listen(this.desk, this.path);
  }

  async daemon(): Promise<FakeDaemon> {
    const daemon = new FakeDaemon(this.path);
    this.daemons.push(daemon);
    await until(() => daemon.hellos.length > 0);
    return daemon;
  }

  [Symbol.dispose](): void {
    for (const daemon of this.daemons) daemon.client.close();
    this.server.close();
    this.journal.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

class FakeDaemon {
  readonly hellos: PluginState[] = [];
  readonly usages: Usage[] = [];
  readonly claims: (number | undefined)[] = [];
  disconnects = 0;
  answer: (address: number | undefined) => Promise<ClaimResult> = async () => ({ ok: true });
  readonly client: ControlClient;

  constructor(path: string) {
    this.client = ControlClient.connect(path, {
      hello: (state) => void this.hellos.push(state),
      usage: (counts) => void this.usages.push(counts),
      claim: (address) => {
        this.claims.push(address);
        return this.answer(address);
      },
      disconnected: () => void this.disconnects++,
    });
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, "the condition did not come true");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test("the daemon is greeted with what the plugin holds, and sets the space", async () => {
  using stage = new Stage();
  await stage.listen();
  assert.equal(statSync(stage.path).mode & 0o777, 0o600);
  const { client, hellos, usages } = await stage.daemon();
  assert.deepEqual(hellos, [{ space: undefined, leases: [], epoch: stage.journal.epoch }]);
  assert.equal(client.connected, true);
  assert.deepEqual(await client.setSpace(SPACE), { kept: [] });
  assert.deepEqual(usages.at(-1), { free: 256, active: 0 });
  const address = await stage.desk.take("any", 1000, NEVER);
  const { leases, free, active } = await client.leases();
  assert.deepEqual([leases.length, leases[0]?.address, leases[0]?.fixed], [1, address, false]);
  assert.deepEqual([free, active], [255, 1]);
  await until(() => usages.at(-1)?.active === 1);
  const second = await stage.daemon();
  assert.deepEqual(second.hellos[0]?.space, SPACE);
  assert.equal(second.hellos[0]?.leases[0]?.address, address);
});

test("leases outside a new space are kept and named", async () => {
  using stage = new Stage();
  await stage.listen();
  const { client } = await stage.daemon();
  await client.setSpace(SPACE);
  const address = await stage.desk.take("any", 1000, NEVER);
  const elsewhere = { ...SPACE, ranges: [{ start: START + 512, end: START + 520 }] };
  assert.deepEqual(await client.setSpace(elsewhere), {
    kept: [{ start: address, end: address + 1 }],
  });
});

test("what is ceded is given no more, and what is leased is not ceded", async () => {
  using stage = new Stage();
  await stage.listen();
  const { client } = await stage.daemon();
  await client.setSpace(SPACE);
  const address = await stage.desk.take(START + 3, 1000, NEVER);
  assert.deepEqual(await client.cede({ kind: "address", address }), []);
  assert.deepEqual(await client.cede({ kind: "address", address: START }), [
    { start: START, end: START + 1 },
  ]);
  const upper = { start: START + 128, end: START + 256 };
  assert.deepEqual(await client.cede({ kind: "ranges", ranges: [upper] }), [upper]);
  const chosen = await client.cede({ kind: "space", within: SPACE.ranges });
  assert.deepEqual(chosen, [{ start: START + 96, end: START + 128 }]);
  assert.deepEqual(await client.cede({ kind: "ranges", ranges: [upper] }), []);
  assert.equal(await client.free([address, START + 9]), 1);
  assert.equal(stage.desk.book.leases.size, 0);
  assert.equal(await stage.desk.take("any", 1000, NEVER), START + 1);
});

test("a claim goes to the latest daemon, and its words come back", async () => {
  using stage = new Stage();
  await stage.listen();
  const old = await stage.daemon();
  const latest = await stage.daemon();
  latest.answer = async (address) => {
    await latest.client.setSpace(address === undefined ? SPACE : { ...SPACE, ranges: [] });
    return address === undefined
      ? { ok: true }
      : { ok: false, code: "IPAM_OWNER_UNREACHABLE", message: "node 3 is away" };
  };
  assert.equal(await stage.desk.take("any", 5000, NEVER), START);
  await assert.rejects(
    stage.desk.take(START + 7000, 5000, NEVER),
    (error) => isHansaError(error, "IPAM_OWNER_UNREACHABLE") && error.message === "node 3 is away",
  );
  assert.deepEqual([old.claims, latest.claims], [[], [undefined, START + 7000]]);
});

test("the client comes back by itself within a second of the plugin", async () => {
  using stage = new Stage();
  const daemon = new FakeDaemon(stage.path);
  stage.daemons.push(daemon);
  await assert.rejects(daemon.client.leases(), (error) =>
    isHansaError(error, "IPAM_PLUGIN_UNREACHABLE"),
  );
  await stage.listen();
  await until(() => daemon.client.connected);
  stage.server.close();
  await until(() => daemon.disconnects === 1);
  assert.equal(daemon.client.connected, false);
  const began = fairNow();
  await stage.listen();
  await until(() => daemon.hellos.length === 2);
  assert.ok(fairNow() - began < 1500);
});

test("an order whose connection is lost is refused, not left hanging", async () => {
  using stage = new Stage();
  await stage.listen();
  const { client } = await stage.daemon();
  const order = client.leases();
  client.close();
  await assert.rejects(order, (error) => isHansaError(error, "IPAM_PLUGIN_UNREACHABLE"));
});

test("a daemon that goes away during a claim is followed by the next", async () => {
  using stage = new Stage();
  await stage.listen();
  const first = await stage.daemon();
  first.answer = () => new Promise(() => undefined);
  const taking = stage.desk.take("any", 8000, NEVER);
  await until(() => first.claims.length === 1);
  first.client.close();
  await until(() => !stage.server.connected);
  const second = new FakeDaemon(stage.path);
  stage.daemons.push(second);
  second.answer = async () => {
    await second.client.setSpace(SPACE);
    return { ok: true };
  };
  assert.equal(await taking, START);
});

test("hostile bytes end their connection and nothing else", async () => {
  using stage = new Stage();
  await stage.listen();
  const { client } = await stage.daemon();
  await client.setSpace(SPACE);
  const lines = [
    "garbage\n",
    "[]\n",
    "null\n",
    '{"id":1}\n',
    '{"id":"x","op":"leases"}\n',
    "x".repeat(MAX_LINE_BYTES + 10),
  ];
  for (const line of lines)
    assert.equal(await closedAfter(stage.path, line), true, line.slice(0, 30));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
      await closedAfter(stage.path, Buffer.concat([bytes, Buffer.from("\n{\n")]));
    }),
    { numRuns: 30 },
  );
  assert.equal((await client.leases()).active, 0);
});

test("malformed orders are refused with USAGE and change nothing", async () => {
  using stage = new Stage();
  await stage.listen();
  const { client } = await stage.daemon();
  await client.setSpace(SPACE);
  const orders = [
    { op: "set-space" },
    { op: "set-space", space: { ...SPACE, ranges: [[5, 1]] } },
    { op: "set-space", space: { ...SPACE, ranges: [[0, 2 ** 33]] } },
    { op: "set-space", space: { ...SPACE, ranges: [[START, START + 1]], subnet: "10.0.0.0/33" } },
    { op: "cede", want: { kind: "everything" } },
    { op: "cede", want: { kind: "address", address: -1 } },
    { op: "free", addresses: ["10.40.0.1"] },
    { op: "dance" },
  ];
  for (const order of orders) {
    const answer = await orderRaw(stage.path, { id: 1, ...order });
    assert.equal(answer["ok"], false, JSON.stringify(order));
    assert.match(`${answer["code"]}`, /^(USAGE|IPAM_SUBNET_INVALID)$/);
  }
  assert.deepEqual(stage.desk.book.space, SPACE);
});

/** Whether the server ends a connection on which `bytes` are sent. */
function closedAfter(path: string, bytes: string | Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write(bytes));
    const timer = setTimeout(() => {
      resolve(false);
      socket.destroy();
    }, 30_000);
    socket.resume();
    // Being cut off while writing counts as closed.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

function orderRaw(path: string, order: object): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path, () => socket.write(`${JSON.stringify(order)}\n`));
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      text += chunk.toString("utf8");
      for (const line of text.split("\n").slice(0, -1)) {
        const message = JSON.parse(line);
        if (message.id !== 1) continue;
        socket.destroy();
        resolve(message);
      }
    });
  });
}
