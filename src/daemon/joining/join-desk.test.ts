/** Desks of nodes that hear each other, asked over real connections; and of one that hears nobody. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "node:test";
import type { JoinRequest } from "../../api/join-schemas.ts";
import { ERRORS, type ErrorCode, HansaError, isHansaError } from "../../errors.ts";
import { ManualClock } from "../../host/clock.ts";
import { createLogger } from "../../host/logger.ts";
import { createNodeKey, fingerprint, type KeyPair } from "../../identity/node-key.ts";
import { createOneTimeKey, openRoots, proveNodeKey } from "../../identity/sealed-roots.ts";
import type { Departure } from "../../membership/departures.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import type { Roster } from "../membership/roster.ts";
import { JoinDesk, type JoinDeskOptions } from "./join-desk.ts";

const ROOT = { root: new Uint8Array(randomBytes(32)), since: "2026-01-01T00:00:00.000Z" };
const KEYS = { privateKey: "", publicKey: "" };
const clock = new ManualClock();
const servers: Server[] = [];
const logged: string[] = [];
const departures: Departure[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  departures.length = 0;
});

interface Desk {
  readonly id: number;
  readonly desk: JoinDesk;
  port: number;
}

const hearsAll = async (): Promise<void> => undefined;

/** Nodes 1, 2, … that all hear each other. `served`: what happens before a node's desk answers another node. */
async function desks(count: number, served = hearsAll): Promise<Desk[]> {
  const all: Desk[] = [];
  for (let id = 1; id <= count; id += 1) {
    const desk = new JoinDesk(optionsOf(id, count, () => all));
    const server = createServer(async (incoming, response) => {
      let text = "";
      for await (const chunk of incoming) text += chunk;
      const answer = (status: number, body: unknown): void => {
        response.writeHead(status).end(JSON.stringify(body));
      };
      try {
        assert.equal(incoming.url, `/v1/nodes/${id}/join/place`);
        await served();
        answer(200, desk.choosePlace(JSON.parse(text)));
      } catch (error) {
        if (!isHansaError(error)) throw error;
        const { code, message, hint } = error;
        answer(ERRORS[code].status, { error: { code, message, hint } });
      }
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    all.push({ id, desk, port: (server.address() as AddressInfo).port });
  }
  return all;
}

function optionsOf(id: number, count: number, all: () => readonly Desk[]): JoinDeskOptions {
  const others = Array.from({ length: count }, (_, at) => at + 1).filter((other) => other !== id);
  const memberOf = (other: number) => ({
    member: { endpoint: { ip: `192.0.2.${other}`, port: 6783 }, state: "alive" },
    metadata: { id: other, name: `host${other}`, keyFingerprint: `0000000${other}` },
  });
  const roster = { peers: others.map(memberOf), twins: [], departed: [] } as unknown as Roster;
  const peers: Pick<PeerRequests, "nodes" | "request" | "unreachable"> = {
    nodes: () =>
      others.map((other) => ({ id: other, name: `host${other}`, isHeard: true, sinceMs: 0 })),
    request: (node, { method, path, headers }) =>
      request({
        ...{ host: "127.0.0.1", port: all()[node.id - 1]?.port, method, path, agent: false },
        headers,
      }),
    unreachable: (node, why) => new HansaError("NODE_UNREACHABLE", `node ${node.id}: ${why}`),
  };
  return {
    node: {
      ...{ version: 1, id, name: `host${id}`, cluster: "test", subnet: "10.32.0.0/12" },
      ...{ targets: [], links: [], ports: { gossip: 6783, overlay: 6784, api: 1443 } },
      encryption: "wireguard",
    },
    identity: { roots: [ROOT], nodeKey: KEYS, wireguard: KEYS, binding: 0, token: "made" },
    keys: { fingerprint: `0000000${id}` },
    membership: {
      roster: () => roster,
      ...{ remembered: [], departures, endpoint: { ip: `192.0.2.${id}`, port: 6783 } },
    },
    ...{ peers, owners: () => [], maxId: 255, clock },
    logger: createLogger({ write: (line) => logged.push(line) }),
  };
}

interface Asking {
  readonly request: JoinRequest;
  readonly key: KeyPair;
  readonly oneTime: KeyPair;
}

function asking(name: string, key: KeyPair = createNodeKey()): Asking {
  const oneTime = createOneTimeKey();
  const proof = proveNodeKey(key, oneTime.publicKey, name);
  const request = { name, nodeKey: key.publicKey, oneTimeKey: oneTime.publicKey, proof };
  return { request, key, oneTime };
}

const refusal = (code: ErrorCode) => (error: unknown) => isHansaError(error, code);

test("a joiner gets a place, whom to dial, and the cluster's keys under its one-time key", async () => {
  const [, two] = await desks(2);
  const { request: asked, key, oneTime } = asking("host3");
  const { sealed, ...joined } = (await two?.desk.admit(asked)) ?? assert.fail();
  assert.deepEqual(joined, {
    ...{ id: 3, name: "host3", cluster: "test", subnet: "10.32.0.0/12", encryption: "wireguard" },
    ...{ gossipPort: 6783, targets: ["192.0.2.2:6783", "192.0.2.1:6783"] },
  });
  const joiner = { nodeKey: key.publicKey, oneTimeKey: oneTime.publicKey, id: 3 };
  assert.deepEqual(openRoots(sealed, joiner, oneTime), { roots: [ROOT], token: "made" });
  const { msg, id, name, key: mark } = JSON.parse(logged.at(-1) ?? "");
  const letIn = ["a host was let in", 3, "host3", fingerprint(key.publicKey)];
  assert.deepEqual([msg, id, name, mark], letIn);
});

test("joins at the same time through all nodes get different ids, and one name goes to one host", async () => {
  const all = await desks(4);
  const ids = await Promise.all(
    all.flatMap(({ desk }, at) =>
      [0, 1].map(async (each) => (await desk.admit(asking(`new${at}${each}`).request)).id),
    ),
  );
  assert.deepEqual(
    ids.sort((a, b) => a - b),
    [5, 6, 7, 8, 9, 10, 11, 12],
  );
  const same = await Promise.allSettled(all.map(({ desk }) => desk.admit(asking("same").request)));
  const outcomes = same.map(({ status }) => status).sort();
  assert.deepEqual(outcomes, ["fulfilled", "rejected", "rejected", "rejected"]);
});

test("the same key gets its place again through any node, and a promise that nobody takes up ends", async () => {
  const [one, two] = await desks(2);
  const key = createNodeKey();
  const first = await one?.desk.admit(asking("host3", key).request);
  const again = await two?.desk.admit(asking("other", key).request);
  assert.deepEqual([first?.id, again?.id, again?.name], [3, 3, "host3"]);
  const late = asking("host3").request;
  await assert.rejects(two?.desk.admit(late) ?? assert.fail(), refusal("NODE_NAME_TAKEN"));
  clock.advance(61_000);
  assert.equal((await two?.desk.admit(late))?.id, 3);
});

test("who came and left again leaves no promise behind: its name and id are free at once", async () => {
  const [one, two] = await desks(2);
  const key = createNodeKey();
  assert.equal((await two?.desk.admit(asking("host3", key).request))?.id, 3);
  departures.push({
    ...{ id: 3, keyFingerprint: fingerprint(key.publicKey), cause: "left", atSeconds: 0 },
  });
  assert.equal((await one?.desk.admit(asking("host3").request))?.id, 3);
  await assert.rejects(
    two?.desk.admit(asking("other", key).request) ?? assert.fail(),
    refusal("NODE_DEPARTED"),
  );
});

test("where the node that chooses does not answer, the next one does, with what both promised", async () => {
  const [one, two, three] = await desks(3);
  assert.ok(one && two && three);
  assert.equal((await three.desk.admit(asking("host4").request)).id, 4);
  one.port = 1;
  // Node 3 kept what node 1 promised for it.
  assert.equal((await three.desk.admit(asking("host5").request)).id, 5);
  two.port = 1;
  assert.equal((await three.desk.admit(asking("host6").request)).id, 6);
});

test("a request that the node key did not sign, or that somebody else signed, is refused", async () => {
  const [one] = await desks(1);
  const { request: asked } = asking("host2");
  for (const forged of [
    { ...asked, name: "host1" },
    { ...asked, nodeKey: createNodeKey().publicKey },
    { ...asked, oneTimeKey: createOneTimeKey().publicKey },
  ]) {
    await assert.rejects(one?.desk.admit(forged) ?? assert.fail(), refusal("USAGE"));
  }
  assert.notEqual(fingerprint(asked.nodeKey), "00000001");
});

test("only so many hosts are promised a place at one time", async () => {
  const [one] = await desks(1);
  const wish = (at: number) => ({
    ...{ name: `new${at}`, fingerprint: at.toString(16).padStart(8, "0"), promised: [] },
  });
  for (let at = 0; at < 254; at += 1) one?.desk.choosePlace(wish(256 + at));
  assert.throws(() => one?.desk.choosePlace(wish(999)), refusal("IPAM_ID_OUTSIDE_SUBNET"));
  clock.advance(61_000);
  assert.equal(one?.desk.choosePlace(wish(999)).id, 2);
});
