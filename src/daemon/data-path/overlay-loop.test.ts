import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { silentLogger } from "../../host/logger.ts";
import { MemoryOverlay } from "../../overlay/memory-overlay.ts";
import type { OverlayReport } from "../../overlay/overlay.ts";
import type { OverlayConfig, OverlayInput, OverlaySecrets } from "../../overlay/overlay-config.ts";
import { overlayBlock } from "../host-facts/underlay.ts";
import { until } from "../timing/until.ts";
import { OverlayLoop } from "./overlay-loop.ts";

const INPUT: OverlayInput = {
  self: { id: 1, address: 0x0a200001, listenPort: 6784, underlay: "192.0.2.1" },
  backend: "wireguard",
  subnet: overlayBlock("10.32.0.0/12"),
  bridge: "hansa0",
  linkMtu: 1500,
  peers: [],
  segments: [],
  docker: { version: "20.10.24", firewallBackend: "iptables" },
};

/** Remembers where each peer was at each steer, and can hold a `set` up. */
class SteeredOverlay extends MemoryOverlay {
  readonly steeredTo: string[] = [];
  setting: Promise<void> | undefined;

  override async set(config: OverlayConfig, secrets: OverlaySecrets): Promise<OverlayReport> {
    const report = super.set(config, secrets);
    await this.setting;
    return report;
  }

  override async steer(config: OverlayConfig): Promise<void> {
    await super.steer(config);
    const { tunnel } = config;
    const places = tunnel.kind === "vxlan" ? tunnel.peers.map(({ ip }) => ip) : [];
    this.steeredTo.push(places.join(" "));
  }
}

const at = (...ips: readonly string[]): OverlayInput => ({
  ...INPUT,
  backend: "vxlan",
  peers: ips.map((ip, index) => ({
    ...{ id: index + 2, address: 0x0a200002 + index, publicKey: "" },
    endpoint: { ip, port: 6784 },
  })),
});

class Stage implements AsyncDisposable {
  readonly overlay = new SteeredOverlay();
  input: OverlayInput | undefined = INPUT;
  readonly applied: (readonly number[])[] = [];
  readonly loop = new OverlayLoop({
    overlay: this.overlay,
    input: () => this.input,
    secrets: () => ({ privateKey: "", pairKeys: {} }),
    logger: silentLogger,
    applied: (peers) => this.applied.push(peers),
  });

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loop.close();
  }
}

test("nothing is set while no Docker was seen, and all once it was", async () => {
  await using stage = new Stage();
  stage.input = undefined;
  await delay(40);
  assert.equal(stage.overlay.sets, 0);
  stage.input = INPUT;
  stage.loop.changed();
  await until(() => stage.loop.mtu === 1440);
  assert.equal(stage.applied.length, 1);
});

test("news that changes nothing does not touch the host", async () => {
  await using stage = new Stage();
  await until(() => stage.overlay.sets === 1);
  for (let index = 0; index < 5; index++) {
    stage.loop.changed();
    await delay(25);
  }
  assert.equal(stage.overlay.sets, 1);
  stage.input = { ...INPUT, linkMtu: 1400 };
  stage.loop.changed();
  await until(() => stage.loop.mtu === 1340);
});

test("a tunnel that is lost is told, and set whole when it is back", async () => {
  await using stage = new Stage();
  await until(() => stage.overlay.sets === 1);
  stage.overlay.loseTunnel();
  stage.loop.repair();
  await until(() => stage.loop.problems[0]?.startsWith("OVERLAY_TUNNEL_MISSING") === true);
  stage.overlay.tunnelBack();
  await until(() => stage.loop.problems.length === 0);
  assert.ok(stage.overlay.config);
});

test("peers that move one after another stay where they moved", async () => {
  await using stage = new Stage();
  stage.input = at("192.0.2.2", "192.0.2.3");
  await until(() => stage.overlay.sets === 1);
  stage.input = at("198.51.100.2", "192.0.2.3");
  stage.loop.steer([2]);
  await until(() => stage.overlay.steers === 1);
  stage.input = at("198.51.100.2", "198.51.100.3");
  stage.loop.steer([3]);
  await until(() => stage.overlay.steers === 2);
  assert.deepEqual(stage.overlay.steeredTo, [
    "198.51.100.2 192.0.2.3",
    "198.51.100.2 198.51.100.3",
  ]);
});

test("who moves while all is set keeps what that brings", async () => {
  await using stage = new Stage();
  stage.input = at("192.0.2.2", "192.0.2.3");
  await until(() => stage.overlay.sets === 1);
  const setting = Promise.withResolvers<void>();
  stage.overlay.setting = setting.promise;
  stage.input = at("192.0.2.2", "192.0.2.3", "192.0.2.4");
  stage.loop.changed();
  await until(() => stage.overlay.sets === 2);
  stage.input = at("198.51.100.2", "192.0.2.3", "192.0.2.4");
  stage.loop.steer([2]);
  stage.input = at("198.51.100.2", "198.51.100.3", "192.0.2.4");
  stage.loop.steer([3]);
  setting.resolve();
  await until(() => stage.overlay.steers > 0);
  assert.deepEqual(stage.overlay.steeredTo, ["198.51.100.2 198.51.100.3 192.0.2.4"]);
});
