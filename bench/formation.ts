/** A cluster of four from nothing, against Docker Swarm on the same hosts. */
import { deriveRoot } from "../src/identity/roots.ts";
import { Playground } from "../src/playground/playground.ts";
import { formHansa, HANSA, HOSTS, must, seconds, TOKEN } from "./cluster.ts";
import { median, type Row } from "./samples.ts";

async function formSwarm(playground: Playground): Promise<number> {
  const [first, ...others] = HOSTS.map((id) => playground.host(id));
  if (!first) throw new Error("no host");
  const took = await seconds(async () => {
    await must(first, "docker", "swarm", "init", "--advertise-addr", first.ip(0));
    const token = await must(first, "docker", "swarm", "join-token", "-q", "worker");
    await Promise.all(
      others.map((host) =>
        must(host, "docker", "swarm", "join", "--token", token, `${first.ip(0)}:2377`),
      ),
    );
  });
  for (const host of [...others, first]) await must(host, "docker", "swarm", "leave", "--force");
  return took;
}

/** Seconds of one key derivation a host, all hosts' at the same time on this machine's cores, as the launches have them. */
async function derivationSeconds(): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    samples.push(await seconds(() => Promise.all(HOSTS.map(() => deriveRoot(TOKEN, "hansa")))));
  }
  return median(samples);
}

export async function formationRows(): Promise<Row[]> {
  const derivation = await derivationSeconds();
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await using playground = await Playground.up({
      ...{ name: "benchf", hosts: HOSTS.length, links: 1, binary: HANSA },
    });
    theirs.push(await formSwarm(playground));
    ours.push((await formHansa(playground)) - derivation);
  }
  return [
    {
      figure: "4 hosts launched side by side to mesh and prime, less one key derivation a host",
      ours: median(ours),
      peer: median(theirs),
      peerName: "swarm init + 3 joins",
      unit: "s",
      compare: "ratio",
      target: 1,
      samples: ours.length,
    },
    {
      figure: `one key derivation, ${HOSTS.length} at a time as in the launches`,
      ours: derivation,
      peer: Number.NaN,
      peerName: "-",
      unit: "s",
      compare: "absolute",
      target: undefined,
      samples: 5,
    },
  ];
}
