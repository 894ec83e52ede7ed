/** 500 watchers of one node's status, a hundred of which never read: its memory stays bounded, and it stands still for no time that gossip would notice. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { fairNow, slowness } from "../fair-time.ts";

const WATCHERS = 500;
const STUCK = 100;
const STATUS_BYTES = 300_000;
const CHANGES = 12;
/** Of a silent node: three rounds of an inquest (docs/internals/membership.md). */
const NOTICED_MS = 3_000;

interface Facts {
  readonly rss: number;
  readonly stillMs: number;
  readonly watchers: number;
}

const child = spawn(process.execPath, [join(import.meta.dirname, "watched-node.ts")], {
  stdio: ["pipe", "pipe", "inherit"],
});
const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
const sockets: TLSSocket[] = [];
let port: number;
let client: { readonly privateKey: string; readonly certificate: string; readonly ca: string };

before(async () => {
  ({ port, client } = JSON.parse((await lines.next()).value ?? ""));
});
after(() => {
  for (const socket of sockets) socket.destroy();
  child.kill();
});

async function facts(): Promise<Facts> {
  child.stdin.write("?\n");
  return JSON.parse((await lines.next()).value ?? "");
}

async function watcher(): Promise<TLSSocket> {
  const { privateKey: key, certificate: cert, ca } = client;
  const socket = connect({ host: "localhost", port, key, cert, ca });
  await once(socket, "secureConnect");
  socket.on("error", () => undefined);
  socket.write("GET /v1/status/watch HTTP/1.1\r\nhost: a\r\n\r\n");
  sockets.push(socket);
  return socket;
}

test("500 watch, 100 of them read nothing: the others are told the newest, memory is bounded, and the node never stands still for long", async () => {
  const began = await facts();
  const last = `change${CHANGES}`;
  let told = 0;
  for (let index = 0; index < WATCHERS; index++) {
    const socket = await watcher();
    if (index % (WATCHERS / STUCK) === 0) {
      socket.pause();
      continue;
    }
    let tail = "";
    let isTold = false;
    socket.on("data", (chunk: Buffer) => {
      // The newest state begins with its number; a piece of it may end in the middle of that.
      const text = tail + chunk.toString("latin1", 0, chunk.length);
      tail = text.slice(-last.length);
      if (isTold || !text.includes(last)) return;
      isTold = true;
      told += 1;
    });
  }
  const end = fairNow() + 90_000;
  // A process that waits for a processor stands still as well.
  let slowest = 1;
  while ((await facts()).watchers < WATCHERS) assert.ok(fairNow() < end);
  let most = 0;
  for (let change = 1; change <= CHANGES; change++) {
    child.stdin.write(`${STATUS_BYTES}\n`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    most = Math.max(most, (await facts()).rss);
    slowest = Math.max(slowest, slowness());
  }
  let now = await facts();
  while (told < WATCHERS - STUCK) {
    assert.ok(fairNow() < end, `${told} were told`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    now = await facts();
    most = Math.max(most, now.rss);
    slowest = Math.max(slowest, slowness());
  }
  const grown = (most - began.rss) / 1024 / 1024;
  process.stdout.write(
    `# ${Math.round(grown)} MiB more at most, still for ${Math.round(now.stillMs)} ms\n`,
  );
  assert.ok(grown < 400, `${grown} MiB`);
  assert.ok(
    now.stillMs < NOTICED_MS * slowest,
    `${now.stillMs} ms, the machine ${slowest} times slower`,
  );
});
