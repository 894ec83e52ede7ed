import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ContainerBoard } from "../../api/container-board.ts";
import type { Containers } from "../../api/container-schema.ts";
import { toContainer } from "../../docker/engine-json.ts";
import { HansaError } from "../../errors.ts";
import type { OtherNode } from "../doors/peer-requests.ts";
import { until } from "../timing/until.ts";
import { ClusterContainers } from "./cluster-containers.ts";
import type { ContainerChange, WatchedContainer } from "./container-watch.ts";

/** Nodes in one process that hear each other as the test says. */
class Cluster {
  readonly members = new Map<number, Member>();
  /** Nodes that nobody can ask, though gossip may hear them; and those that gossip holds dead. */
  readonly cut = new Set<number>();
  readonly dead = new Set<number>();
  readonly gone = new Set<number>();
  /** Ends the streams of the nodes that are cut. */
  #cutting = new AbortController();
  wallMs = Date.parse("2026-01-01T00:00:00Z");
  /** How many streams stand. */
  streams = 0;

  add(id: number): Member {
    const member = new Member(this, id);
    this.members.set(id, member);
    return member;
  }

  isolate(id: number): void {
    this.cut.add(id);
    this.#cutting.abort();
    this.#cutting = new AbortController();
  }

  changed(): void {
    for (const { containers } of this.members.values()) containers.changed();
  }

  nodesBut(id: number): OtherNode[] {
    return [...this.members.keys()]
      .filter((each) => each !== id && !this.gone.has(each))
      .map((each) => ({
        ...{ id: each, name: `host${each}`, isHeard: !this.dead.has(each), sinceMs: 0 },
      }));
  }

  async *events(from: number, node: OtherNode, signal: AbortSignal, heard: () => void) {
    const refuse = (): never => {
      throw new HansaError("NODE_UNREACHABLE", `node ${node.id} cannot be asked`);
    };
    if (this.cut.has(node.id) || this.cut.has(from) || this.dead.has(node.id)) refuse();
    const end = AbortSignal.any([signal, this.#cutting.signal]);
    this.streams += 1;
    try {
      const member = this.members.get(node.id) ?? refuse();
      for await (const event of member.containers.watchOwn(end, "a")) {
        heard();
        yield structuredClone(event) as unknown;
      }
    } finally {
      this.streams -= 1;
    }
    if (!signal.aborted) refuse();
  }
}

class Member {
  readonly id: number;
  readonly shown = new Map<string, WatchedContainer>();
  readonly containers: ClusterContainers;

  constructor(cluster: Cluster, id: number) {
    this.id = id;
    this.containers = new ClusterContainers({
      self: { id, name: `host${id}` },
      watch: () => ({ containers: this.shown }),
      peers: {
        nodes: () => cluster.nodesBut(id),
        events: (node, _path, signal, heard) => cluster.events(id, node, signal, heard),
      },
      wallMs: () => cluster.wallMs,
    });
  }

  /** Docker answered, and has these. */
  list(...names: string[]): void {
    for (const name of names) this.#show(name);
    this.containers.seen({ type: "listed" });
  }

  run(name: string): void {
    this.containers.seen({ type: "changed", container: this.#show(name) });
  }

  remove(name: string): void {
    this.shown.delete(name);
    this.containers.seen({ type: "gone", id: name });
  }

  seen(change: ContainerChange): void {
    this.containers.seen(change);
  }

  #show(name: string): WatchedContainer {
    const State = { Status: "running", Running: true, StartedAt: "2025-12-31T23:00:00Z" };
    const container = toContainer({ Id: name, Name: `/${name}`, State });
    const watched = { ...container, hasImage: true };
    this.shown.set(name, watched);
    return watched;
  }
}

const cluster = { current: new Cluster() };
afterEach(() => {
  for (const { containers } of cluster.current.members.values()) containers.close();
  cluster.current = new Cluster();
});

function three(): readonly [Member, Member, Member] {
  const members = [1, 2, 3].map((id) => cluster.current.add(id)) as [Member, Member, Member];
  for (const member of members) member.list(`web${member.id}`);
  return members;
}

const names = ({ containers }: Containers): string =>
  containers.map(({ node, dockerName }) => `${node.name}:${dockerName}`).join();

test("every node lists the containers of every node", async () => {
  for (const { containers } of three()) {
    const all = await containers.containers();
    assert.equal(names(all), "host1:web1,host2:web2,host3:web3");
    assert.ok(all.nodes.every(({ reachable, asOf }) => reachable && asOf !== null));
  }
});

test("what changed elsewhere is known at the next look, from memory", async () => {
  const [one, two] = three();
  await one.containers.containers();
  two.run("more");
  two.remove("web2");
  await until(async () => names(await one.containers.containers()).includes("host2:more"));
  assert.equal(names(await one.containers.containers()), "host1:web1,host2:more,host3:web3");
});

test("a node that cannot be asked keeps what was known of it, with its age; back again it tells anew", async () => {
  const { current } = cluster;
  const [one, two] = three();
  await one.containers.containers();
  const before = new Date(current.wallMs).toISOString();
  current.isolate(2);
  current.wallMs += 60_000;
  const find = async () => (await one.containers.containers()).nodes.find(({ id }) => id === 2);
  await until(async () => (await find())?.reachable === false);
  two.run("unseen");
  const cut = await one.containers.containers();
  assert.equal(names(cut), "host1:web1,host2:web2,host3:web3");
  const node = cut.nodes.find(({ id }) => id === 2);
  assert.deepEqual([node?.asOf, node?.problem?.code], [before, "NODE_UNREACHABLE"]);
  current.cut.clear();
  await until(async () => names(await one.containers.containers()).includes("unseen"));
  assert.equal((await find())?.problem, null);
});

test("of a node that was never heard nothing is known, and nobody waits for it", async () => {
  const { current } = cluster;
  const [one] = three();
  current.dead.add(3);
  const found = await one.containers.containers();
  assert.equal(names(found), "host1:web1,host2:web2");
  const node = found.nodes.find(({ id }) => id === 3);
  assert.deepEqual([node?.reachable, node?.asOf], [false, null]);
  current.dead.clear();
  current.changed();
  await until(async () => names(await one.containers.containers()).endsWith("host3:web3"));
});

test("a node that is gone for good is listed no more", async () => {
  const { current } = cluster;
  const [one] = three();
  await one.containers.containers();
  current.gone.add(2);
  current.changed();
  assert.equal(names(await one.containers.containers()), "host1:web1,host3:web3");
  assert.equal((await one.containers.containers()).nodes.length, 2);
});

test("while Docker is away its containers are shown as of then, here and elsewhere", async () => {
  const [one, two] = three();
  await one.containers.containers();
  two.seen({ type: "lost" });
  for (const { containers } of [one, two]) {
    await until(async () => {
      const node = (await containers.containers()).nodes.find(({ id }) => id === 2);
      return node?.problem?.code === "DOCKER_UNREACHABLE" && node.reachable && node.asOf !== null;
    });
    assert.match(names(await containers.containers()), /host2:web2/);
  }
  two.shown.clear();
  two.list("other");
  await until(async () => names(await one.containers.containers()).includes("host2:other"));
  assert.doesNotMatch(names(await one.containers.containers()), /web2/);
});

test("a watcher of one node sees what happens on the others, and a board of its events lists the same", async () => {
  const [one, two, three_] = three();
  const end = new AbortController();
  const board = new ContainerBoard();
  const reading = (async () => {
    for await (const event of one.containers.watch(end.signal, "a")) board.take(event);
  })();
  await until(() => names(board.list()) === "host1:web1,host2:web2,host3:web3");
  two.run("new");
  three_.remove("web3");
  await until(() => names(board.list()) === "host1:web1,host2:new,host2:web2");
  cluster.current.isolate(2);
  await until(() => board.node(2)?.reachable === false);
  assert.equal(names(await one.containers.containers()), names(board.list()));
  end.abort();
  await reading;
});

test("streams stand only where somebody wants to know, one to each node however many watch", async () => {
  const { current } = cluster;
  const [one] = three();
  assert.equal(current.streams, 0);
  const end = new AbortController();
  const watching = Array.from({ length: 20 }, () => one.containers.watch(end.signal, "a"));
  for (const events of watching) await events[Symbol.asyncIterator]().next();
  await until(() => current.streams === 2);
  end.abort();
  one.containers.close();
  await until(() => current.streams === 0);
});

test("nobody tells of another node than itself", async () => {
  const { current } = cluster;
  const [one, two] = three();
  const liar = two.containers.watchOwn.bind(two.containers);
  two.containers.watchOwn = async function* (signal) {
    for await (const event of liar(signal, "a")) {
      yield event;
      yield { type: "gone", node: 1, id: "web1" };
      yield { type: "node-gone", node: 1 };
      const [row] = (await one.containers.containers()).containers;
      if (row) yield { type: "container", container: { ...row, id: "planted" } };
    }
  };
  await one.containers.containers();
  await until(async () => (await one.containers.containers()).containers.length === 4);
  const found = await one.containers.containers();
  assert.equal(found.containers.find(({ id }) => id === "planted")?.node.id, 2);
  assert.match(names(found), /host1:web1/);
  assert.equal(current.members.size, 3);
});
