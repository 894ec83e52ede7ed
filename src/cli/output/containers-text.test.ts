import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleContainers } from "../../api/example-answers.ts";
import { shortAge } from "../../values/short-age.ts";
import { containerFilter } from "../container-filter.ts";
import { containerNotes, containersText } from "./containers-text.ts";
import { plain } from "./paint.ts";

const VIEW = { nowMs: Date.parse("2026-01-01T00:00:00Z"), paint: plain };

test("without containers there is simplecontainer's header, to the space", () => {
  const none = { ...exampleContainers(), containers: [] };
  assert.equal(
    containersText(none, VIEW),
    "NODE  GROUP  NAME  DOCKER NAME  IMAGE  IP  PORTS  DEPS IMAGE STATE ENGINE STATE  SMR STATE",
  );
});

test("each container is a line of eleven cells; ages are those of when it was seen", () => {
  const [header, ...lines] = containersText(exampleContainers(), VIEW)
    .split("\n")
    .map((line) => line.split(/ {2,}/));
  assert.deepEqual(
    header?.join("  ").replace("DEPS  IMAGE STATE  ENGINE", "DEPS IMAGE STATE ENGINE"),
    containersText({ nodes: [], containers: [] }, VIEW),
  );
  assert.deepEqual(lines, [
    [
      ...["host1 (1)", "shop", "web", "shop-web-1", "nginx:1.27", "10.40.0.1"],
      "8080:80, 443, 127.0.0.1:53:53/udp",
      ...["shop.cache, shop.db", "pulled", "running (docker)", "running (2m10s)"],
    ],
    [
      ...["host2 (2)", "-", "lone", "lone", "busybox:latest", "-", "-", "-"],
      ...["pulling 45%", "exited (docker)", "failed (3h) 35s ago"],
    ],
  ]);
});

test("an instance that has no container yet has no engine state, and no age where none is known", () => {
  const { nodes, containers } = exampleContainers();
  const waiting = containers.slice(0, 1).map((row) => ({
    ...{ ...row, id: null, engineState: null, state: "created" as const, stateSince: null },
  }));
  assert.match(
    containersText({ nodes, containers: waiting }, VIEW),
    / {2}pulled {7}- {13}created$/,
  );
});

test("nodes that do not tell are said with what is known of them", () => {
  assert.deepEqual(containerNotes(exampleContainers(), VIEW.nowMs), [
    "1 container on host2 (2) as of 35s ago: node 2 (host2) cannot be asked",
    "nothing is known of the containers on host3 (3): it did not answer in time",
  ]);
});

test("an age is one word", () => {
  const ages = [-5, 0, 59.9, 60, 130, 3_599, 3_600, 86_399, 86_400, 864_000];
  assert.deepEqual(ages.map(shortAge), [
    ...["0s", "0s", "59s", "1m0s", "2m10s", "59m59s", "1h", "23h", "1d", "10d"],
  ]);
});

test("containers are picked by node, group, name and state; words are alternatives, options add up", () => {
  const picked = (options: Readonly<Record<string, string>>): string => {
    const values = new Map(Object.entries(options));
    const pick = containerFilter({ flags: new Set(), values, lists: new Map(), operands: [] });
    return pick(exampleContainers())
      .containers.map(({ dockerName }) => dockerName)
      .join();
  };
  for (const [options, names] of [
    [{}, "shop-web-1,lone"],
    [{ node: "host2" }, "lone"],
    [{ node: "1,host2" }, "shop-web-1,lone"],
    [{ node: "host*" }, "shop-web-1,lone"],
    [{ group: "shop" }, "shop-web-1"],
    [{ group: "-" }, "lone"],
    [{ name: "web" }, "shop-web-1"],
    [{ name: "*-1" }, "shop-web-1"],
    [{ name: "w.b" }, ""],
    [{ state: "running,failed" }, "shop-web-1,lone"],
    [{ state: "running", node: "host2" }, ""],
    [{ name: "**************************x" }, ""],
  ] as const) {
    assert.equal(picked(options), names, JSON.stringify(options));
  }
  assert.throws(() => picked({ state: "runing" }), { code: "USAGE" });
});
