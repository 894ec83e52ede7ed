import assert from "node:assert/strict";
import { test } from "node:test";
import { peerPlace } from "./join-by-context.ts";

test("the place in a node's URL, with the port that a control plane has by default", () => {
  const places: readonly (readonly [string, string | undefined])[] = [
    ["https://node-1.example.org:1443", "node-1.example.org:1443"],
    ["https://node-1.example.org:2443/", "node-1.example.org:2443"],
    ["https://node-1.example.org", "node-1.example.org:1443"],
    ["192.0.2.1", "192.0.2.1:1443"],
    ["https://[2001:db8::1]", "[2001:db8::1]:1443"],
    ["https://[2001:db8::1]:2443", "[2001:db8::1]:2443"],
    ["http://node-1.example.org", undefined],
    ["https://ada@node-1.example.org", undefined],
    ["https://node-1.example.org/v1/join", undefined],
    ["https://node-1.example.org?x", undefined],
    ["https://node-1.example.org:0", undefined],
    ["https://node-1.example.org:65536", undefined],
    ["https://a b", undefined],
    ["", undefined],
  ];
  for (const [url, place] of places) assert.equal(peerPlace(url), place, url);
});
