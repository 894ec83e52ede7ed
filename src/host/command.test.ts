import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { systemCommand } from "./command.ts";

const { run } = systemCommand;

test("status and both streams come back, whatever the status", async () => {
  const answer = await run(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  assert.deepEqual(answer, { status: 3, stdout: "out\n", stderr: "err\n" });
});

test("arguments are passed as they are, never through a shell", async () => {
  const odd = ["$HOME", "a b", "'\"", "*", ";true", ""];
  const answer = await run(["printf", "%s\n", ...odd]);
  assert.equal(answer.stdout, `${odd.join("\n")}\n`);
});

test("standard input and environment reach the program", async () => {
  const answer = await run(["sh", "-c", 'cat; printf %s "$HANSA_TEST"'], {
    stdin: "in-",
    env: { HANSA_TEST: "set" },
  });
  assert.equal(answer.stdout, "in-set");
});

test("a program that does not read its input still answers", async () => {
  const answer = await run(["true"], { stdin: "x".repeat(1_000_000) });
  assert.equal(answer.status, 0);
});

test("a program that hangs is killed at its deadline", async () => {
  const begin = performance.now();
  await assert.rejects(run(["sleep", "120"], { timeoutMs: 100 }), (error) => {
    return isHansaError(error, "COMMAND_TIMEOUT") && error.message.includes("sleep");
  });
  assert.ok(performance.now() - begin < 60_000);
});

test("a program that prints without end is killed", async () => {
  await assert.rejects(run(["yes"], { maxBytes: 1000 }), (error) =>
    isHansaError(error, "INTERNAL"),
  );
});

test("a program whose own child holds the pipes is given up at its deadline all the same", async () => {
  const line = ["sh", "-c", "sleep 120; true"];
  const started = performance.now();
  await assert.rejects(systemCommand.run(line, { timeoutMs: 100 }), (error) =>
    isHansaError(error, "COMMAND_TIMEOUT"),
  );
  assert.ok(performance.now() - started < 60_000);
});

test("a program that is killed has status -1", async () => {
  assert.equal((await run(["sh", "-c", "kill -9 $$"])).status, -1);
});

test("a missing program names its Debian package", async () => {
  await assert.rejects(run(["no-such-program-of-hansa"]), (error) => {
    assert.ok(isHansaError(error, "TOOL_MISSING"));
    return error.hint.includes("apt-get install no-such-program-of-hansa");
  });
  await assert.rejects(run(["/nonexistent/wg"]), (error) => {
    assert.ok(isHansaError(error, "TOOL_MISSING"));
    return error.hint.includes("apt-get install wireguard-tools");
  });
});
