import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../membership/message.ts";
import { PacketRoutes } from "./packet-routes.ts";

const at = (ip: string) => ({ ip, port: 6783 });
const ping: Message = { type: "ping", seq: 1, node: "2-00c0ffee" };
const news: Message = { type: "user", payload: new Uint8Array() };
const ack: Message = { type: "ack", seq: 1, payload: new Uint8Array() };

test("what has no other place goes where it says", () => {
  const routes = new PacketRoutes();
  assert.deepEqual(routes.of(at("10.0.0.2")), at("10.0.0.2"));
  routes.set(new Map([["10.0.0.2", "10.0.1.2"]]), 0);
  assert.deepEqual(routes.of({ ip: "10.0.0.2", port: 7000 }), { ip: "10.0.1.2", port: 7000 });
  assert.deepEqual(routes.of(at("10.0.0.3")), at("10.0.0.3"));
});

test("pings and acks of the last second that went the way that is left are sent again, once", () => {
  const routes = new PacketRoutes();
  routes.set(new Map([["10.0.1.2", "10.0.0.2"]]), 0);
  routes.note({ to: at("10.0.0.2"), messages: [ping] }, 100);
  routes.note({ to: at("10.0.0.2"), messages: [news, ack, ping] }, 900);
  routes.note({ to: at("10.0.0.2"), messages: [news] }, 950);
  routes.note({ to: at("10.0.0.3"), messages: [ping] }, 960);
  const moved = new Map([["10.0.0.2", "10.0.1.2"]]);
  const [again, ...none] = routes.set(moved, 1_200);
  assert.deepEqual([again?.to, again?.messages, none], [at("10.0.0.2"), [ack, ping], []]);
  assert.deepEqual(routes.set(moved, 1_300), []);
  assert.equal(routes.set(new Map(), 1_400).length, 1, "and once more where it moved again");
});

test("where nobody has a choice nothing is kept", () => {
  const routes = new PacketRoutes();
  routes.note({ to: at("10.0.0.2"), messages: [ping] }, 0);
  assert.deepEqual(routes.set(new Map([["10.0.0.2", "10.0.1.2"]]), 10), []);
});
