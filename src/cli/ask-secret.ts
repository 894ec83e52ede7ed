/** A secret typed at the terminal, which shows nothing of it. */
import type { Context } from "./command.ts";

const MAX_LENGTH = 4096;
const ENTER = /[\r\n]/;
const ERASE = ["\u007f", "\b"];
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";

/** What was typed until the return key; undefined when it was broken off, or where nobody can be asked. */
export async function askSecret(question: string, context: Context): Promise<string | undefined> {
  const { console } = context;
  if (!console.isTerminal("stdin") || !console.isTerminal("stderr")) return undefined;
  const restore = console.raw();
  try {
    await console.write("stderr", Buffer.from(question));
    return await typed(console.input());
  } finally {
    restore();
    await console.write("stderr", Buffer.from("\r\n"));
  }
}

async function typed(input: AsyncIterable<Buffer>): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text: string[] = [];
  for await (const chunk of input) {
    for (const sign of decoder.decode(chunk, { stream: true })) {
      if (ENTER.test(sign)) return text.join("");
      if (sign === CTRL_C || sign === CTRL_D) return undefined;
      if (sign === CTRL_U) text = [];
      else if (ERASE.includes(sign)) text.pop();
      else if (text.length < MAX_LENGTH) text.push(sign);
    }
  }
  return undefined;
}
