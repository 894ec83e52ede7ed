import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../../../test/free-port.ts";
import { systemClock } from "../../host/clock.ts";
import { silentLogger } from "../../host/logger.ts";
import { createIdentity, type Identity, identityKeys } from "../../identity/identity.ts";
import { plainLinks } from "../../values/node-link.ts";
import { Beat } from "../timing/beat.ts";
import { until } from "../timing/until.ts";
import { MembershipLoop } from "./membership-loop.ts";

/** Loops of one cluster on 127.0.0.x. */
class Stage implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "membership-loop-"));
  readonly loops: MembershipLoop[] = [];
  #first: Identity | undefined;

  async node(id: number, targets: readonly string[], directory = "."): Promise<MembershipLoop> {
    const own = await createIdentity({ token: "a long enough token", cluster: "test" });
    this.#first ??= own;
    const identity = { ...own, roots: this.#first.roots };
    const loop = await MembershipLoop.start({
      node: {
        version: 1,
        id,
        name: `host${id}`,
        cluster: "test",
        subnet: "10.32.0.0/12",
        targets,
        links: plainLinks([`127.0.0.${id}`]),
        ports: { gossip: await freePort(), overlay: 6784, api: 1443 },
        encryption: "wireguard",
      },
      identity,
      keys: identityKeys(identity),
      version: "test",
      store: undefined,
      path: join(this.directory, directory, `${id}.json`),
      beat: new Beat(systemClock),
      logger: silentLogger,
      rings: () => new Uint8Array(),
      takeRings: () => undefined,
      certificates: () => new Uint8Array(),
      takeCertificates: () => undefined,
      receive: () => undefined,
      changed: () => undefined,
      settled: () => undefined,
      rebound: () => undefined,
      roundabout: () => undefined,
      moved: () => undefined,
      followed: () => undefined,
    });
    this.loops.push(loop);
    return loop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.close()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const place = ({ endpoint }: MembershipLoop): string => `${endpoint.ip}:${endpoint.port}`;

const connectionTo = (peer: number) =>
  ({
    peer,
    keyFingerprint: "00000001",
    state: "established",
    rttMs: 1,
    mtu: 1420,
    backend: "wireguard",
  }) as const;

test("a node that joins later is told everybody's whole row by the first exchange", async () => {
  await using stage = new Stage();
  const one = await stage.node(1, []);
  one.knowledge.setConnections([connectionTo(7), connectionTo(8)]);
  const two = await stage.node(2, [place(one)]);
  await until(() => two.knowledge.rows.get(one.name) !== undefined);
  assert.deepEqual(
    two.knowledge.rows.get(one.name)?.connections.map(({ peer }) => peer),
    [7, 8],
  );
});

test("a node with more connections than a packet holds goes on, and tells them by exchanges", async () => {
  await using stage = new Stage();
  const one = await stage.node(1, []);
  const peers = Array.from({ length: 300 }, (_, index) => connectionTo(index + 2));
  one.knowledge.setConnections(peers);
  const two = await stage.node(2, [place(one)]);
  await until(() => two.knowledge.rows.get(one.name)?.connections.length === 300);
});

test("a state that cannot be written is told and does not end the daemon", async () => {
  await using stage = new Stage();
  const one = await stage.node(1, []);
  const two = await stage.node(2, [place(one)], "no-such-directory");
  await until(() => two.remembered.some(({ id }) => id === 1));
  assert.match(two.problem ?? "", /^STATE_UNWRITABLE: .* cannot be written/);
  assert.equal(one.problem, undefined);
});
