import assert from "node:assert/strict";
import { test } from "node:test";
import { LEAST_TIMING } from "../store-times.ts";
import { etcdConfig } from "./etcd-config.ts";

test("whatever is asked, clients are served on loopback and both ports want certificates", () => {
  const text = etcdConfig({
    ...{
      name: "2-00000002",
      dataDir: "/d",
      begins: "existing",
      token: "a1",
      timing: LEAST_TIMING,
    },
    ...{ peer: { ip: "10.32.0.2", port: 9212 }, clientPort: 2379 },
    tlsFiles: { leaf: "/leaf", ca: "/ca" },
    members: [
      { name: "1-00000001", peerUrl: "https://10.32.0.1:9212" },
      { name: "2-00000002", peerUrl: "https://10.32.0.2:9212" },
    ],
  });
  const config = JSON.parse(text);
  assert.equal(config["listen-client-urls"], "https://127.0.0.1:2379");
  assert.equal(config["listen-peer-urls"], "https://10.32.0.2:9212");
  assert.equal(
    config["initial-cluster"],
    "1-00000001=https://10.32.0.1:9212,2-00000002=https://10.32.0.2:9212",
  );
  for (const side of ["client-transport-security", "peer-transport-security"]) {
    assert.equal(config[side]["client-cert-auth"], true, side);
  }
  assert.equal(config["strict-reconfig-check"], false);
  assert.equal(config["pre-vote"], true);
});
