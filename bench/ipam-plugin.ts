/**
 * Address requests at the plugin's socket, one after another on one kept connection, as dockerd sends them.
 *
 * The client writes raw HTTP, so that the figure is the plugin's and not that of Node's HTTP client.
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

/** The body of the answer. */
function requestAddress(socket: Socket): Promise<string> {
  const body = JSON.stringify({ PoolID: "hansa/10.32.0.0/12", Address: "", Options: {} });
  socket.write(
    `POST /IpamDriver.RequestAddress HTTP/1.1\r\nHost: plugin\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return new Promise((resolve, reject) => {
    let text = "";
    const take = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const head = text.indexOf("\r\n\r\n");
      const length = /content-length: (\d+)/i.exec(text);
      if (head < 0 || text.length < head + 4 + Number(length?.[1])) return;
      socket.off("data", take);
      const answer = text.slice(head + 4);
      if (answer.includes('"Address"')) resolve(answer);
      else reject(new Error(answer));
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
}
