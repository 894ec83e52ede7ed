import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attachment, Container } from "../../docker/engine.ts";
import { parseIpv4 } from "../../values/ipv4.ts";
import { nameEntryOf } from "./container-names.ts";

const ID = "0123456789abcdef".repeat(4);

function container(
  different: Partial<Container> & { readonly aliases?: readonly string[] } = {},
): Container {
  const { aliases = [], ...rest } = different;
  const attachment: Attachment = {
    network: "hansa",
    networkId: "n",
    address: "10.40.0.7",
    fixedAddress: "",
    aliases,
  };
  return {
    id: ID,
    name: "web",
    ...{ image: "busybox", imageId: "", createdAt: "", health: "", oomKilled: false, ports: [] },
    hostname: "0123456789ab",
    status: "running",
    running: true,
    exitCode: 0,
    error: "",
    restartPolicy: "no",
    startedAt: "",
    finishedAt: "",
    labels: {},
    attachments: [attachment],
    ...rest,
  };
}

test("a container is called by its name and its aliases, each once, in lower case, without its id", () => {
  const aliases = ["0123456789ab", "Db", "web", "db", "bad name"];
  assert.deepEqual(nameEntryOf(container({ aliases })), {
    container: "0123456789ab",
    address: parseIpv4("10.40.0.7"),
    names: ["web", "db"],
  });
});

test("one that does not run, is on other networks, or has no name for DNS, has none", () => {
  assert.equal(nameEntryOf(container({ running: false })), undefined);
  assert.equal(nameEntryOf(container({ attachments: [] })), undefined);
  assert.equal(nameEntryOf(container({ name: "a..b" })), undefined);
});

test("names of nodes are not for containers", () => {
  assert.equal(nameEntryOf(container({ name: "host1.node" })), undefined);
  assert.equal(nameEntryOf(container({ name: "node" })), undefined);
  assert.deepEqual(nameEntryOf(container({ name: "host1.nodes" }))?.names, ["host1.nodes"]);
});
