/**
 * Requests a second that a node's API answers over mutual TLS, from another host and on connections that stay open, against dockerd's own
 * `/version` over its TLS socket on the same host, in alternating pairs. `node bench/api-reads.ts [SECONDS]` prints the rows.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unixRequest } from "../src/host/unix-http.ts";
import { type Authority, createAuthority } from "../src/identity/authority.ts";
import { Playground } from "../src/playground/playground.ts";
import { formHansa, HANSA } from "./cluster.ts";
import { median, type Row, table } from "./samples.ts";

const PAIRS = 3;
const CONNECTIONS = "8";
const DOCKER_TLS = "2376";
const LOAD = join(import.meta.dirname, "read-load.ts");

/** The rows of a cluster that runs; host 2 is asked from host 1. Restarts its dockerd. */
export async function apiReadRows(playground: Playground, seconds: number): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), "hansa-bench-"));
  try {
    const host = playground.host(2);
    const authority = await createAuthority(new Uint8Array(32).fill(7), "bench");
    await serveDockerByTls(playground, authority);
    const dockerFile = join(folder, "docker.json");
    await writeFile(
      dockerFile,
      JSON.stringify(await authority.mint({ names: [], name: "bench", addresses: [] })),
      { mode: 0o600 },
    );
    const issued = await unixRequest({
      socketPath: host.apiSocket,
      method: "POST",
      path: "/v1/certificates",
      body: { name: "bench", role: "viewer", days: 1 },
    });
    const oursFile = join(folder, "ours.json");
    await writeFile(oursFile, issued.text, { mode: 0o600 });
    const read = (url: string, file: string): number => {
      const enter = ["-t", `${playground.host(1).pid}`, "-n", "--", process.execPath, LOAD];
      const argv = [...enter, url, file, `${seconds}`, CONNECTIONS];
      const { status, stdout, stderr } = spawnSync("nsenter", argv, { encoding: "utf8" });
      if (status !== 0) throw new Error(`${url}: ${stderr}`);
      return Number(stdout);
    };
    const samples = { ours: [] as number[], peer: [] as number[] };
    for (let round = 0; round < PAIRS; round += 1) {
      samples.ours.push(read(`https://${host.ip(0)}:1443/v1/version`, oursFile));
      samples.peer.push(read(`https://${host.ip(0)}:${DOCKER_TLS}/version`, dockerFile));
    }
    return [
      {
        figure: "API reads over mutual TLS, 8 connections that stay open",
        ours: median(samples.ours),
        peer: median(samples.peer),
        peerName: "dockerd's /version",
        unit: "/s",
        compare: "ratio",
        target: 0.5,
        bound: "least",
        pairs: samples,
        samples: PAIRS,
      },
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Host 2's dockerd with a TLS socket beside its own, and certificates of `authority`. */
async function serveDockerByTls(playground: Playground, authority: Authority): Promise<void> {
  const host = playground.host(2);
  const leaf = await authority.mint({
    names: ["localhost"],
    name: "dockerd",
    addresses: [host.ip(0)],
  });
  const files = { ca: leaf.ca, cert: leaf.certificate, key: leaf.privateKey };
  for (const [name, text] of Object.entries(files)) {
    await host.exec(["tee", `/etc/docker/${name}.pem`], { stdin: text });
  }
  const settings = {
    hosts: ["unix:///var/run/docker.sock", `tcp://0.0.0.0:${DOCKER_TLS}`],
    tlsverify: true,
    ...{ tlscacert: "/etc/docker/ca.pem", tlscert: "/etc/docker/cert.pem" },
    tlskey: "/etc/docker/key.pem",
  };
  await host.exec(["tee", "/etc/docker/daemon.json"], { stdin: JSON.stringify(settings) });
  await host.stopDocker();
  await host.startDocker();
}

if (import.meta.main) {
  await using playground = await Playground.up({
    name: "breads",
    hosts: 4,
    links: 1,
    binary: HANSA,
  });
  await formHansa(playground);
  process.stdout.write(`${table(await apiReadRows(playground, Number(process.argv[2] ?? 4)))}\n`);
}
