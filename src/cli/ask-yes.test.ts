import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { askYes } from "./ask-yes.ts";

/** What is answered when these bytes are typed and nothing more comes. */
async function typing(text: string, isTTY = true): Promise<boolean | undefined> {
  const input = Object.assign(new PassThrough(), { isTTY }) as unknown as NodeJS.ReadStream;
  const output = Object.assign(new PassThrough().resume(), { isTTY });
  (input as unknown as PassThrough).end(text);
  const streams = { input, output: output as unknown as NodeJS.WriteStream };
  return await askYes("Shall it be?", "--yes", streams);
}

test("y and yes are yes, everything else is no, and nobody is asked without a terminal", async () => {
  for (const [text, answer] of [
    ["y\n", true],
    ["YES\n", true],
    ["n\n", false],
    ["\n", false],
  ] as const) {
    assert.equal(await typing(text), answer);
  }
  assert.equal(await typing("y\n", false), undefined);
});

test("an input that ends in place of an answer is told with what to type", async () => {
  await assert.rejects(typing(""), {
    code: "USAGE",
    message: "nothing was done: that was not confirmed, the input has ended",
    hint: "answer y, or add --yes",
  });
});
