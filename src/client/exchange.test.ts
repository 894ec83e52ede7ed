import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Door } from "./door.ts";
import { exchange } from "./exchange.ts";

/** The one timer of an exchange, on a clock that the test moves. */
class HandTimer {
  nowMs = 0;
  #dueMs = 0;
  #job: () => void = () => undefined;

  constructor(t: TestContext) {
    t.mock.method(globalThis, "setTimeout", (job: () => void, ms: number) => {
      this.#job = job;
      const refresh = (): void => {
        this.#dueMs = this.nowMs + ms;
      };
      refresh();
      return { refresh };
    });
  }

  pass(ms: number): void {
    this.nowMs += ms;
    if (this.nowMs >= this.#dueMs) this.#job();
  }
}

function silentSocket(): { readonly socket: Duplex; readonly door: Door } {
  const socket = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
  const open = async (): Promise<Socket> => socket as Socket;
  return { socket, door: { place: "there", open, inOurWords: (error) => error } };
}

test("an answer that comes slowly is waited for, however long all of it takes", async (t) => {
  const timer = new HandTimer(t);
  const { socket, door } = silentSocket();
  const answer = exchange({ door, method: "GET", path: "/", timeoutMs: 1_000 });
  await turn();
  for (const piece of ["HTTP/1.1 200 OK\r\n", "content-length: 4\r\n", "\r\n", "sl", "ow"]) {
    timer.pass(900);
    socket.push(piece);
    await turn();
  }
  socket.push(null);
  const { status, body } = await answer;
  assert.deepEqual([status, body, timer.nowMs], [200, "slow", 4_500]);
});

test("one that stops coming is given up after as much silence, and none at all as well", async (t) => {
  const timer = new HandTimer(t);
  for (const pieces of [[], ["HTTP/1.1 200 OK\r\n", "content-length: 4\r\n"]]) {
    const { socket, door } = silentSocket();
    const answer = exchange({ door, method: "GET", path: "/", timeoutMs: 1_000 });
    const refused = assert.rejects(answer, {
      code: "ETIMEDOUT",
      message: "nothing came from there for 1000 ms",
    });
    await turn();
    for (const piece of pieces) {
      timer.pass(999);
      socket.push(piece);
      await turn();
    }
    assert.equal(socket.destroyed, false);
    timer.pass(1_000);
    await refused;
    assert.equal(socket.destroyed, true);
  }
});
