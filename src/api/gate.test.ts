import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import type { Role } from "../values/role.ts";
import { askApplication } from "./ask-application.ts";
import { type Caller, LOCAL_CALLER } from "./caller.ts";
import { createApi } from "./create-api.ts";
import { FakeNode } from "./fake-node.ts";
import { Gate } from "./gate.ts";

const callerOf = (serial: string, role: Role = "admin"): Caller => ({
  ...{ name: `holder of ${serial}`, role, from: "192.0.2.1", serial },
});
const limited = (error: unknown): boolean => isHansaError(error, "API_RATE_LIMITED");

test("one certificate asks so often and no more, changes count for more, and others are not slowed down by it", () => {
  let nowMs = 0;
  const gate = new Gate(
    () => undefined,
    () => nowMs,
  );
  const socket = new Socket();
  for (let index = 0; index < 20_000; index++) gate.admit(callerOf("aa"), socket);
  assert.throws(() => gate.admit(callerOf("aa"), socket), limited);
  gate.admit(callerOf("bb"), socket);
  nowMs = 50;
  gate.admit(callerOf("aa"), socket, undefined, true);
  assert.throws(() => gate.admit(callerOf("aa"), socket), limited);
  for (let index = 0; index < 40_000; index++) {
    gate.admit(callerOf("cc", "node"), socket);
    gate.admit(LOCAL_CALLER, socket);
  }
});

test("who is refused for asking too often is told when to come back", async () => {
  const socket = new Socket();
  const gate = new Gate(
    () => undefined,
    () => 0,
  );
  const app = createApi(new FakeNode(), { gate, callerOf: () => callerOf("aa") });
  for (let index = 0; index < 20_000; index++) gate.admit(callerOf("aa"), socket);
  const answer = await askApplication(app, "/v1/version");
  assert.equal(answer.status, 429);
  assert.equal(answer.headers.get("retry-after"), "1");
  assert.match(await answer.text(), /"API_RATE_LIMITED"/);
});

test("a sweep ends who is out: by what is under way on a connection, and idle ones by who asked last", () => {
  const out = new Set<string>();
  const gate = new Gate(({ serial = "" }) => (out.has(serial) ? "it was revoked" : undefined));
  const response = () => new PassThrough() as unknown as ServerResponse;
  /** Of a node that asks for others: its last request of `aa` was answered, one of `bb` is under way. */
  const shared = new Socket();
  const answered = response();
  gate.admit(callerOf("aa"), shared, answered);
  answered.emit("close");
  gate.admit(callerOf("bb"), shared, response());
  const idle = new Socket();
  gate.admit(callerOf("aa"), idle);
  out.add("aa");
  assert.equal(gate.sweep(), 1);
  assert.deepEqual([shared.destroyed, idle.destroyed], [false, true]);
  assert.throws(
    () => gate.admit(callerOf("aa"), shared),
    (error) => isHansaError(error, "API_CERTIFICATE_REFUSED"),
  );
  out.add("bb");
  gate.sweep();
  assert.equal(shared.destroyed, true);
});
