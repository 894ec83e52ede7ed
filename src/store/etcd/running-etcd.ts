/** A real etcd of one voter on loopback, for tests: with TLS as a voter has it, its data in a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { isHansaError } from "../../errors.ts";
import { LEAST_TIMING } from "../store-times.ts";
import { storeTls } from "../store-tls.ts";
import { type EtcdChannel, type EtcdPlace, openEtcd } from "./etcd-channel.ts";
import { type EtcdSettings, etcdConfig, peerUrl } from "./etcd-config.ts";
import { EtcdStore } from "./etcd-store.ts";

const READY_MS = 120_000;

export interface RunningEtcd {
  readonly place: EtcdPlace;
  readonly peer: { readonly ip: string; readonly port: number };
  readonly process: ChildProcess;
  /** A new channel; the caller closes it. */
  connect(): Promise<EtcdChannel>;
  /** Ends it and takes its folder away. */
  stop(): Promise<void>;
}

/** Under the authority of `root`. Resolves when it leads. */
export async function runEtcd(
  root: Uint8Array,
  settings: Pick<EtcdSettings, "quotaBytes"> = {},
): Promise<RunningEtcd> {
  const dir = await mkdtemp(join(tmpdir(), "hansa-etcd-"));
  const [peerPort = 0, clientPort = 0] = await freePorts(2);
  const peer = { ip: "127.0.0.1", port: peerPort };
  const tls = await storeTls([root], []);
  const at = (name: string): string => join(dir, name);
  await writeFile(at("leaf.pem"), tls.key + tls.cert, { mode: 0o600 });
  await writeFile(at("ca.pem"), tls.ca.join(""));
  await writeFile(
    at("etcd.json"),
    etcdConfig({
      ...{ name: "one", dataDir: at("data"), peer, clientPort, begins: "new", token: "test" },
      tlsFiles: { leaf: at("leaf.pem"), ca: at("ca.pem") },
      members: [{ name: "one", peerUrl: peerUrl(peer) }],
      timing: LEAST_TIMING,
      ...settings,
    }),
  );
  const child = spawn("etcd", ["--config-file", at("etcd.json")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-4000);
  });
  const exited = once(child, "exit");
  const place = { host: "127.0.0.1", port: clientPort, tls };
  const etcd: RunningEtcd = {
    ...{ place, peer, process: child },
    connect: () => openEtcd(place),
    async stop() {
      child.kill("SIGKILL");
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
  try {
    await untilLed(etcd);
  } catch (error) {
    await etcd.stop();
    throw new Error(`etcd did not start: ${said}`, { cause: error });
  }
  return etcd;
}

async function untilLed(etcd: RunningEtcd): Promise<void> {
  const store = new EtcdStore(await etcd.connect());
  const endMs = performance.now() + READY_MS;
  try {
    for (;;) {
      try {
        if ((await store.status()).leader !== undefined) return;
      } catch (error) {
        if (!isHansaError(error) || etcd.process.exitCode !== null) throw error;
      }
      if (performance.now() > endMs) throw new Error("it has no leader");
      await setTimeout(50);
    }
  } finally {
    store.close();
  }
}

/** Ports of loopback that were free just now, all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
