import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerFacts } from "../../doctor/facts.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import { DoctorExchange, type DoctorPeer } from "./doctor-exchange.ts";
import { decodeDoctorMessage, type Echo } from "./doctor-message.ts";

const HEADERS = 28;
const OVERHEAD = 90;
/** Node 1's clock, which stands: what the nodes measure of each other is then exact. */
const NOW_MS = 1_700_000_000_000;

/** What the network between two nodes lets pass. */
interface Rules {
  readonly packet?: (from: number, to: number, path: "udp" | "tunnel", size: number) => boolean;
  readonly tcp?: (from: number, to: number) => boolean;
  readonly isProved?: boolean;
  /** The third node passes nothing on. */
  readonly silent?: boolean;
  /** Added to node 2's clock. */
  readonly clockMs?: number;
}

/** Nodes 1 and 2 with a network between them, and node 3 that passes on and examines nothing. */
class World {
  readonly #rules: Rules;
  /** The question that node 1 asked node 2. */
  readonly asked = Promise.withResolvers<number>();
  readonly nodes: readonly DoctorExchange[];

  constructor(rules: Rules) {
    this.#rules = rules;
    this.nodes = [1, 2].map((self) => this.#node(self));
  }

  #node(self: number): DoctorExchange {
    const other = 3 - self;
    return new DoctorExchange({
      peers: () => [this.#peer(other, self), this.#peer(3, self)],
      linkMtu: () => 1500,
      tunnelMtu: () => 1440,
      sendPacket: (to, body) => this.#packet(self, to, body),
      sendStream: async (to, body) => {
        const number = Number(to.ip.split(".").at(-1));
        if (number === 3 || this.#rules.tcp?.(self, number) === false) throw new Error("refused");
        this.#deliver(self, number, body, "stream");
      },
      tryRelay: async () => null,
      tryApi: async () => null,
      traffic: async () => new Map([[other, { rx: 10, tx: 10 }]]),
      broken: async () => 0,
      kernelMtu: async () => undefined,
      wallMs: () => NOW_MS + (self === 2 ? (this.#rules.clockMs ?? 0) : 0),
    });
  }

  #peer(id: number, self: number): DoctorPeer {
    return {
      ...{ id, name: `host${id}`, version: "1", ports: { gossip: 6783, overlay: 6784, api: 1443 } },
      ...{ endpoint: { ip: `192.0.2.${id}`, port: 6783 }, isHeard: true },
      inside: { ip: `10.32.0.${id}`, port: 6783 },
      tunnelProved: id === 3 ? self > 0 : (this.#rules.isProved ?? true),
    };
  }

  #packet(from: number, to: Endpoint, body: Uint8Array): number {
    const sent = body.length + OVERHEAD;
    const message = decodeDoctorMessage(body);
    if (from === 1 && message?.to === 2) this.asked.resolve(message.nonce);
    const path = to.ip.startsWith("10.") ? "tunnel" : "udp";
    let number = Number(to.ip.split(".").at(-1));
    const isDetour = number === 3;
    if (isDetour) number = message?.to ?? 0;
    const passes = this.#rules.packet?.(from, number, path, sent + HEADERS) ?? true;
    if ((passes || (isDetour && !this.#rules.silent)) && number !== 3) {
      this.#deliver(from, number, body, path === "tunnel" ? "tunnel" : "outside");
    }
    return sent;
  }

  #deliver(from: number, to: number, body: Uint8Array, via: "outside" | "tunnel" | "stream"): void {
    const message = decodeDoctorMessage(body);
    assert.ok(message);
    setImmediate(() => this.nodes[to - 1]?.receive(message, from, via));
  }
}

/** What node 1 finds out about node 2. */
async function found(rules: Rules): Promise<PeerFacts> {
  const world = new World(rules);
  const facts = await world.nodes[0]?.examine();
  for (const node of world.nodes) node.close();
  const peer = facts?.find(({ id }) => id === 2);
  assert.ok(peer);
  return peer;
}

const SIZES = [500, 1280, 1300, 1400, 1420, 1450, 1492, 1500];
const ALL = { udp: SIZES, tunnel: [500, 1440], tcp: true };

// Beside one another, for each takes as long as on a real network.
test("what passes is told apart by path, size and way", { concurrency: true }, async (context) => {
  await Promise.all([
    context.test("all passes: every size arrives both ways", async () => {
      const peer = await found({});
      assert.deepEqual(peer.sent, { udp: SIZES, tunnel: [500, 1440] });
      assert.deepEqual([peer.arrivedHere, peer.arrivedThere], [ALL, ALL]);
      assert.deepEqual([peer.tcpFromHere, peer.tcpFromThere], [null, null]);
      assert.equal(peer.clock?.skewMs, 0);
    }),
    context.test("UDP closed one way, and a small path the other", async () => {
      const peer = await found({
        packet: (from, _to, path, size) => path === "tunnel" || (from === 2 && size <= 1400),
      });
      assert.deepEqual(peer.arrivedThere, { ...ALL, udp: [] });
      assert.deepEqual(peer.arrivedHere.udp, [500, 1280, 1300, 1400]);
    }),
    context.test("TCP closed one way", async () => {
      const peer = await found({ tcp: (from) => from === 2 });
      assert.equal(peer.tcpFromHere, "refused");
      assert.equal(peer.tcpFromThere, null);
      assert.deepEqual([peer.arrivedHere.tcp, peer.arrivedThere?.tcp], [true, false]);
    }),
    context.test(
      "nothing passes from here to there: question and report go through another",
      async () => {
        const peer = await found({ packet: (from) => from === 2, tcp: () => false });
        assert.deepEqual(peer.arrivedThere, { udp: [], tunnel: [], tcp: false });
        assert.deepEqual(peer.arrivedHere, { ...ALL, tcp: false });
      },
    ),
    context.test("a clock that is ahead", async () => {
      const peer = await found({ clockMs: 60_000 });
      assert.equal(peer.clock?.skewMs, 60_000);
    }),
    context.test(
      "a tunnel that is not proved is watched for longer than a handshake takes",
      async () => {
        const startMs = performance.now();
        const peer = await found({ isProved: false, packet: (_from, _to, path) => path === "udp" });
        assert.ok(performance.now() - startMs > 5_500);
        assert.deepEqual(peer.arrivedThere?.tunnel, []);
        assert.deepEqual(peer.traffic.there, { rx: 0, tx: 0 });
      },
    ),
  ]);
});

test("those who ask at one time share one run", async () => {
  const { nodes } = new World({});
  const [first, second] = [nodes[0]?.examine(), nodes[0]?.examine()];
  assert.equal(first, second);
  await first;
});

test("copies that came otherwise than they say, and echoes of strangers, count for nothing", async () => {
  const world = new World({ packet: () => false, tcp: () => false, silent: true });
  const [node] = world.nodes;
  const running = node?.examine();
  const nonce = await world.asked.promise;
  const echo = (path: Echo["path"]): Echo => ({
    ...{ type: "echo", to: 1, nonce, path, size: 1440, sentMs: 0 },
    ...{ askedMs: 0, gotMs: 0 },
  });
  node?.receive(echo("tunnel"), 2, "outside");
  node?.receive(echo("udp"), 2, "tunnel");
  node?.receive(echo("tcp"), 2, "outside");
  node?.receive(echo("tunnel"), 9, "tunnel");
  const facts = await running;
  assert.deepEqual(
    facts?.map(({ arrivedHere }) => arrivedHere.tunnel),
    [[], []],
  );
});
