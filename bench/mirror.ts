/** A node's own copy of the store against the store: a read in process, and loading 1,000 nodes and 5,000 files of 1 KiB. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/host/clock.ts";
import { silentLogger } from "../src/host/logger.ts";
import { EtcdStore } from "../src/store/etcd/etcd-store.ts";
import { runEtcd } from "../src/store/etcd/running-etcd.ts";
import { NODES_PREFIX } from "../src/store/node-registry.ts";
import { MAX_OPERATIONS, type Write } from "../src/store/store.ts";
import { StoreMirror } from "../src/store/store-mirror.ts";
import { median, type Row } from "./samples.ts";

const NODES = 1000;
const FILES = 5000;
const ROUNDS = 20;
const READS = 100;
const LOADS = 5;
const MARK = { id: "00112233aabbccdd", name: "bench", generation: 1 };

export async function mirrorRows(): Promise<Row[]> {
  const etcd = await runEtcd(new Uint8Array(32).fill(3));
  const dir = await mkdtemp(join(tmpdir(), "hansa-bench-mirror-"));
  const store = new EtcdStore(await etcd.connect());
  const open = (): Promise<StoreMirror> =>
    StoreMirror.load({ dir, clock: systemClock, logger: silentLogger, changed: () => undefined });
  try {
    await fill(store);
    const fetched: number[] = [];
    const loaded: number[] = [];
    for (let round = 0; round < LOADS; round++) {
      await rm(dir, { recursive: true, force: true });
      const mirror = await open();
      fetched.push(
        await cpuSeconds(async () => {
          const { entries, revision } = await store.list("");
          mirror.replace(MARK, entries, revision, Date.now());
          await mirror.close();
        }),
      );
      loaded.push(
        await cpuSeconds(async () => {
          const again = await open();
          assert.equal(again.list("").length, NODES + FILES);
          await again.close();
        }),
      );
    }
    const mirror = await open();
    const reads = await readSeconds(store, mirror);
    await mirror.close();
    const absolute = {
      peer: Number.NaN,
      peerName: "-",
      unit: "CPU s",
      compare: "absolute",
    } as const;
    const all = `${NODES} nodes and ${FILES} files of 1 KiB`;
    return [
      {
        figure: "a read of the node's copy, in process",
        ours: median(reads.ours) * 1e6,
        peer: median(reads.peer) * 1e6,
        peerName: "store read",
        ...{ unit: "µs", compare: "ratio", target: 0.05, pairs: reads, samples: ROUNDS },
      },
      {
        figure: `${all}, from disk`,
        ...{ ...absolute, ours: median(loaded), target: 1, samples: LOADS },
      },
      {
        figure: `${all}, from the store to disk`,
        ...{ ...absolute, ours: median(fetched), target: 1, samples: LOADS },
      },
    ];
  } finally {
    store.close();
    await etcd.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function fill(store: EtcdStore): Promise<void> {
  const nodes = Array.from({ length: NODES }, (_, index): Write => {
    const id = index + 1;
    const text = JSON.stringify({ version: 1, name: `host${id}`, member: `${id}-00c0ffee` });
    return { type: "put", key: `${NODES_PREFIX}${id}`, value: Buffer.from(text) };
  });
  const files = Array.from({ length: FILES }, (_, index): Write => {
    const value = Buffer.alloc(1024, index % 251);
    return { type: "put", key: `config/files/${index}`, value };
  });
  const writes = [...nodes, ...files];
  for (let at = 0; at < writes.length; at += MAX_OPERATIONS) {
    await store.commit({ conditions: [], writes: writes.slice(at, at + MAX_OPERATIONS) });
  }
}

/** Seconds a read, of each round. */
async function readSeconds(
  store: EtcdStore,
  mirror: StoreMirror,
): Promise<{ readonly ours: number[]; readonly peer: number[] }> {
  const [ours, peer]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const keys = Array.from(
      { length: READS },
      (_, index) => `config/files/${index * ROUNDS + round}`,
    );
    let began = performance.now();
    for (const key of keys) assert.equal(mirror.get(key)?.value.length, 1024);
    ours.push((performance.now() - began) / 1000 / READS);
    began = performance.now();
    for (const key of keys) assert.equal((await store.get(key)).entry?.value.length, 1024);
    peer.push((performance.now() - began) / 1000 / READS);
  }
  return { ours, peer };
}

async function cpuSeconds(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
