/** The store by way of another node's daemon, over a real etcd: the same suite as on a voter. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { after, before, test } from "node:test";
import type { Caller } from "../../api/caller.ts";
import { createApi } from "../../api/create-api.ts";
import { FakeNode } from "../../api/fake-node.ts";
import { createNodeServer, type NodeServer } from "../../api/node-routing.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import { dialEtcd, openEtcdOver } from "../../store/etcd/etcd-channel.ts";
import { wasNotTaken } from "../../store/etcd/etcd-error.ts";
import { EtcdStore } from "../../store/etcd/etcd-store.ts";
import { EtcdVoters } from "../../store/etcd/etcd-voters.ts";
import { type RunningEtcd, runEtcd } from "../../store/etcd/running-etcd.ts";
import { NodeStore, type StoreWay } from "../../store/node-store.ts";
import { storeSuite } from "../../store/store-suite.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import { openTunnel, TunnelServer } from "./store-tunnel.ts";

const MARK = { id: "a1", name: "prod", generation: 3 };
const NODE: Caller = { name: "host5", role: "node", from: "192.0.2.5", serial: "1" };
const TWO = { id: 2, name: "host2", isHeard: true, sinceMs: undefined };

let etcd: RunningEtcd;
let own: EtcdStore;
let server: NodeServer;
let caller: Caller = NODE;
const held = new Set<() => void>();
const tunnels = new Set<Duplex>();

before(async () => {
  etcd = await runEtcd(new Uint8Array(32).fill(9));
  own = new EtcdStore(await etcd.connect());
  server = createNodeServer(createApi(new FakeNode()), {
    tunnels: new TunnelServer({
      callerOf: () => caller,
      dial: async () => ({ mark: MARK, socket: await dialEtcd(etcd.place, 5000) }),
      onDefect: (error) => assert.fail(`${error}`),
    }),
  });
  server.http.listen(0, "127.0.0.1");
  await once(server.http, "listening");
});
after(async () => {
  store.close();
  own.close();
  server.endConnections();
  server.http.close();
  await etcd.stop();
});

/** As other nodes are asked, without TLS and gossip. */
const peers: Pick<PeerRequests, "request" | "hold" | "unreachable"> = {
  request(_node, { method, path, headers }) {
    const { port } = server.http.address() as AddressInfo;
    return httpRequest({
      ...{ host: "127.0.0.1", port, method, headers },
      path: path.replace(/^\/v1\/nodes\/2/, "/v1"),
    });
  },
  hold(_node, failed) {
    const end = (): void => failed("it is not heard any more");
    held.add(end);
    return () => held.delete(end);
  },
  unreachable: (node, reason) =>
    new HansaError("NODE_UNREACHABLE", `node ${node.id} cannot be asked: ${reason}`),
};

const way: StoreWay = {
  ...{ name: "node 2 (host2)", isOwn: false },
  async open() {
    const { mark, socket } = await openTunnel(peers, TWO);
    const ended = new AbortController();
    tunnels.add(socket);
    socket.on("close", () => {
      tunnels.delete(socket);
      ended.abort();
    });
    const channel = await openEtcdOver(socket);
    return {
      ...{ mark, store: new EtcdStore(channel), voters: new EtcdVoters(channel) },
      ended: ended.signal,
      close() {
        channel.close();
        socket.destroy();
      },
    };
  },
};
const store = new NodeStore({ ways: () => [way], wasNotTaken });

storeSuite("tunnel", () => ({ store, compact: (revision) => own.compact(revision) }));

test("all of it goes through one connection, which says whose it is", async () => {
  await Promise.all(Array.from({ length: 20 }, (_, index) => store.get(`key ${index}`)));
  assert.equal(tunnels.size, 1);
  assert.deepEqual((await store.reach()).mark, MARK);
  assert.equal((await (await store.reach()).voters.list()).length, 1);
});

test("a node that is not heard any more ends the connection, and a watch with it; the next call opens another", async () => {
  const { revision } = await store.get("p");
  const ending = new AbortController();
  const watched = (async () => {
    for await (const event of store.watch("p", revision + 1n, ending.signal)) assert.ok(event);
  })();
  const [before] = tunnels;
  await store.get("p");
  const failed = assert.rejects(watched, (error) => isHansaError(error, "STORE_UNREACHABLE"));
  for (const end of held) end();
  await failed;
  await store.get("p");
  assert.notEqual([...tunnels][0], before);
});

test("who is no node, or asks for somebody else, gets no way to it", async () => {
  for (const each of [
    { ...NODE, role: "admin" } as const,
    { ...NODE, role: "node", via: "host3" } as const,
  ]) {
    caller = each;
    await assert.rejects(openTunnel(peers, TWO), (error) =>
      isHansaError(error, "NODE_UNREACHABLE"),
    );
  }
  caller = NODE;
  (await openTunnel(peers, TWO)).socket.destroy();
});
