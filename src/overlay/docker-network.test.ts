import assert from "node:assert/strict";
import { test } from "node:test";
import { dockerMajor, dockerNetwork, dockerNetworkDiffers } from "./docker-network.ts";
import { sampleInput } from "./lab/sample-input.ts";

test("Docker's major version is read from any of its spellings", () => {
  const table = { "20.10.24+dfsg1": 20, "28.0.0-rc.1": 28, "v29.1.3": 29, dev: 0, "": 0 };
  for (const [text, major] of Object.entries(table)) assert.equal(dockerMajor(text), major);
});

test("a network made by an older Docker, or with another MTU, is told apart", () => {
  const old = dockerNetwork(sampleInput({ version: "27.5.1", firewallBackend: "iptables" }));
  const now = dockerNetwork(sampleInput({ version: "28.0.0", firewallBackend: "iptables" }));
  assert.deepEqual(dockerNetworkDiffers(old, old), []);
  assert.deepEqual(dockerNetworkDiffers(now, old), [
    "com.docker.network.bridge.gateway_mode_ipv4",
    "com.docker.network.bridge.trusted_host_interfaces",
  ]);
  const jumbo = { ...old, Options: { ...old.Options, "com.docker.network.driver.mtu": "8940" } };
  assert.deepEqual(dockerNetworkDiffers(old, jumbo), ["com.docker.network.driver.mtu"]);
  assert.equal(dockerNetworkDiffers(old, {}).length > 4, true);
});
