/**
 * Asks one URL again and again over mutual TLS, on a few connections that stay open: `read-load.ts URL FILE SECONDS CONNECTIONS`. FILE holds key,
 * certificate and authority as JSON. Prints the answers a second.
 */
import { readFileSync } from "node:fs";
import { Agent, get } from "node:https";

const [url = "", file = "", seconds = "", connections = ""] = process.argv.slice(2);
const { privateKey, certificate, ca } = JSON.parse(readFileSync(file, "utf8"));
const agent = new Agent({
  ...{ key: privateKey, cert: certificate, ca },
  keepAlive: true,
  maxSockets: Number(connections),
});

function once(): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = get(url, { agent }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`status ${answer.statusCode}`));
      answer.on("end", resolve).on("error", reject).resume();
    });
    asked.on("error", reject);
  });
}

async function load(forMs: number): Promise<number> {
  const endMs = performance.now() + forMs;
  let answers = 0;
  const one = async (): Promise<void> => {
    for (; performance.now() < endMs; answers += 1) await once();
  };
  await Promise.all(Array.from({ length: Number(connections) }, one));
  return answers;
}

// Handshakes, and what both sides compile at first.
await load(1_000);
const wantedMs = Number(seconds) * 1_000;
const answers = await load(wantedMs);
process.stdout.write(`${(answers * 1_000) / wantedMs}\n`);
agent.destroy();
