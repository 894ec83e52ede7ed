import assert from "node:assert/strict";
import { test } from "node:test";
import { askSecret } from "./ask-secret.ts";
import type { Context } from "./command.ts";

/** What is answered, and what the terminal shows, when these keys are pressed. */
async function typing(keys: readonly string[], isTerminal = true) {
  let shown = "";
  let restored = 0;
  const console = {
    isTerminal: () => isTerminal,
    raw: () => () => {
      restored += 1;
    },
    write: async (_to: string, bytes: Buffer) => {
      shown += bytes;
    },
    input: async function* () {
      for (const key of keys) yield Buffer.from(key);
    },
  };
  const answer = await askSecret("Token: ", { console } as unknown as Context);
  return { answer, shown, restored };
}

test("a secret is what was typed until return, with mistakes taken back, and is never shown", async () => {
  const { answer, shown, restored } = await typing([
    "x",
    "\u0015",
    "se",
    "kk\u007f",
    "ret\r",
    "more",
  ]);
  assert.equal(answer, "sekret");
  assert.equal(shown, "Token: \r\n");
  assert.equal(restored, 1);
});

test("Ctrl-C, an end, and no terminal at all are no answer, and the terminal is restored", async () => {
  for (const keys of [["se\u0003"], ["\u0004"], ["se"]]) {
    const { answer, restored } = await typing(keys);
    assert.deepEqual([answer, restored], [undefined, 1]);
  }
  assert.deepEqual(await typing(["secret\r"], false), {
    answer: undefined,
    shown: "",
    restored: 0,
  });
});
