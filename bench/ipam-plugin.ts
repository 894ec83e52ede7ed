/**
 * Address requests at the plugin's socket, one after another on one kept connection, as dockerd sends them.
 *
 * The client writes raw HTTP, so that the figure is the plugin's and not that of Node's HTTP client. `node bench/ipam-plugin.ts` prints the
 * times of a fresh plugin, and what 1,000 leases make of a request and a release.
 */
import { connect, type Socket } from "node:net";
import { ControlClient } from "../src/plugin/control-client.ts";
import { makePluginPaths, PluginProcess } from "../src/plugin/plugin-process.ts";
import { parseIpv4 } from "../src/values/ipv4.ts";
import { percentile } from "./samples.ts";

/** How long each of `count` requests took, in milliseconds, from a freshly started plugin process. */
export async function addressRequests(count: number): Promise<number[]> {
  await using plugin = await PluginProcess.start(await makePluginPaths());
  await giveSpace(plugin.paths.control);
  const socket = connect(plugin.paths.socket);
  const times: number[] = [];
  const given = new Set<string>();
  try {
    for (let index = 0; index < count; index++) {
      const begin = performance.now();
      const answer = await requestAddress(socket);
      times.push(performance.now() - begin);
      given.add(answer);
    }
  } finally {
    socket.destroy();
  }
  if (given.size !== count) throw new Error(`${count - given.size} answers were given twice`);
  return times;
}

/**
 * Milliseconds of a request and a release together, in turn with two plugins: one without leases, and one that holds `leases`.
 */
export async function pairsWithLeases(
  count: number,
  leases: number,
): Promise<{ readonly without: number[]; readonly holding: number[] }> {
  await using empty = await PluginProcess.start(await makePluginPaths());
  await using full = await PluginProcess.start(await makePluginPaths());
  const sides = [
    { name: "without", plugin: empty },
    { name: "holding", plugin: full },
  ] as const;
  const sockets = new Map<string, Socket>();
  const samples = { without: [] as number[], holding: [] as number[] };
  try {
    for (const { name, plugin } of sides) {
      await giveSpace(plugin.paths.control);
      sockets.set(name, connect(plugin.paths.socket));
    }
    const pair = async (socket: Socket): Promise<void> => {
      const answer = JSON.parse(await requestAddress(socket)) as { readonly Address: string };
      await release(socket, answer.Address.split("/")[0] ?? "");
    };
    for (const socket of sockets.values())
      for (let warm = 0; warm < leases; warm++) await pair(socket);
    const holder = sockets.get("holding");
    for (let index = 0; holder && index < leases; index++) await requestAddress(holder);
    for (let index = 0; index < count; index++) {
      for (const { name } of index % 2 === 0 ? sides : sides.toReversed()) {
        const socket = sockets.get(name);
        if (!socket) continue;
        const begin = performance.now();
        await pair(socket);
        samples[name].push(performance.now() - begin);
      }
    }
  } finally {
    for (const socket of sockets.values()) socket.destroy();
  }
  return samples;
}

async function giveSpace(controlPath: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const control = ControlClient.connect(controlPath, {
    hello: () => resolve(),
    usage: () => undefined,
    claim: async () => ({ ok: false, code: "IPAM_EXHAUSTED", message: "no daemon here" }),
    disconnected: () => undefined,
  });
  await promise;
  const start = parseIpv4("10.40.0.0") ?? 0;
  await control.setSpace({
    ready: true,
    subnet: "10.32.0.0/12",
    gateway: parseIpv4("10.32.0.1") ?? 0,
    ranges: [{ start, end: start + 2 ** 17 }],
  });
  control.close();
}

const POOL = "hansa/10.32.0.0/12";

/** The body of the answer. */
async function requestAddress(socket: Socket): Promise<string> {
  const answer = await ask(socket, "RequestAddress", { PoolID: POOL, Address: "", Options: {} });
  if (!answer.includes('"Address"')) throw new Error(answer);
  return answer;
}

async function release(socket: Socket, address: string): Promise<void> {
  const answer = await ask(socket, "ReleaseAddress", { PoolID: POOL, Address: address });
  if (/"Err/.test(answer)) throw new Error(answer);
}

/** The body of the answer to one question of Docker's. */
function ask(socket: Socket, method: string, question: object): Promise<string> {
  const body = JSON.stringify(question);
  socket.write(
    `POST /IpamDriver.${method} HTTP/1.1\r\nHost: plugin\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return new Promise((resolve) => {
    let text = "";
    const take = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const head = text.indexOf("\r\n\r\n");
      const length = /content-length: (\d+)/i.exec(text);
      if (head < 0 || text.length < head + 4 + Number(length?.[1])) return;
      socket.off("data", take);
      resolve(text.slice(head + 4));
    };
    socket.on("data", take);
  });
}

if (import.meta.main) {
  const samples = await addressRequests(1000);
  const round = (ms: number): number => Number(ms.toFixed(3));
  console.log(
    JSON.stringify({
      figure: "address request at the plugin",
      samples: samples.length,
      p50Ms: round(percentile(samples, 0.5)),
      p99Ms: round(percentile(samples, 0.99)),
      maxMs: round(Math.max(...samples)),
      targetP99Ms: 2,
    }),
  );
  const { without, holding } = await pairsWithLeases(1000, 1000);
  console.log(
    JSON.stringify({
      figure: "address request and release with 1,000 leases, against none",
      samples: holding.length,
      p50Ms: [round(percentile(holding, 0.5)), round(percentile(without, 0.5))],
      p99Ms: [round(percentile(holding, 0.99)), round(percentile(without, 0.99))],
      ratio: round(percentile(holding, 0.5) / percentile(without, 0.5)),
      targetRatio: 1,
    }),
  );
}
