/**
 * Many clients of one node in one process, by the context that comes on standard input as JSON: `stream-crowd.ts follow CONTAINER…` or
 * `stream-crowd.ts watch COUNT`. What they saw goes out as lines of JSON, of which each has what changed; ends with its standard input.
 *
 * follow: each argument is one follower of that log, whose lines are "line 1", "line 2" and so on; `-CONTAINER` is one that reads nothing after
 * the first line. watch: watchers of the status, and how many of them were told of which target.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { contextDoor } from "../../src/client/context-door.ts";
import { apiClient, type NodeClient } from "../../src/client/node-client.ts";
import { readLog } from "../../src/client/read-log.ts";
import type { ClusterContext } from "../../src/contexts/context.ts";
import { HansaError } from "../../src/errors.ts";

/** Of a crowd of followers. */
export interface Followed {
  /** How many were told the first line. */
  readonly begun: number;
  /** The last line of whoever has the fewest; those that read nothing are left out. */
  readonly least: number;
  /** Lines that came twice, were left out or came in another order. */
  readonly wrong: readonly string[];
  /** What was told about connections. */
  readonly notes: readonly string[];
}

/** Of a crowd of watchers. */
export interface Watched {
  /** How many are told the status. */
  readonly begun: number;
  /** How many were told of each target. */
  readonly told: Readonly<Record<string, number>>;
  /** Code and sentence of each that was refused or ended. */
  readonly refused: readonly string[];
}

async function follow(client: NodeClient, containers: readonly string[]): Promise<void> {
  const [wrong, notes]: [string[], string[]] = [[], []];
  const shown = containers.map(() => 0);
  const isStuck = (index: number): boolean => containers[index]?.startsWith("-") === true;
  tellOften(
    (): Followed => ({
      begun: shown.filter((line) => line > 0).length,
      least: Math.min(...shown.filter((_, index) => !isStuck(index))),
      ...{ wrong, notes },
    }),
  );
  await Promise.all(
    containers.map(async (named, index) => {
      const options = { follow: true, since: "", until: "", tail: undefined };
      const lines = readLog(client, named.replace(/^-/, ""), {
        ...{ ...options, signal: new AbortController().signal },
        note: (sentence) => notes.push(sentence),
      });
      for await (const { text } of lines) {
        const said = text.toString().trim().split(" ", 2).join(" ");
        const last = shown[index] ?? 0;
        if (said === `line ${last + 1}`) shown[index] = last + 1;
        else wrong.push(`${named}: ${said} after line ${last}`);
        // The window of this one fills, and its node keeps the rest of the log in Docker.
        if (isStuck(index)) await once(process.stdin, "end");
      }
    }),
  );
}

async function watch(client: NodeClient, count: number): Promise<void> {
  const refused: string[] = [];
  const told: Record<string, number> = {};
  let begun = 0;
  tellOften((): Watched => ({ begun, told, refused }));
  const one = async (): Promise<void> => {
    const known = new Set<string>();
    try {
      for await (const { targets } of client.watchStatus(new AbortController().signal)) {
        if (known.size === 0) begun += 1;
        known.add("");
        for (const target of targets.filter((each) => !known.has(each))) {
          known.add(target);
          told[target] = (told[target] ?? 0) + 1;
        }
      }
    } catch (error) {
      // One that was lost and found its place taken is counted once.
      if (known.size > 0) begun -= 1;
      refused.push(error instanceof HansaError ? `${error.code}: ${error.message}` : `${error}`);
    }
  };
  const all: Promise<void>[] = [];
  for (let index = 0; index < count; index += 1) {
    all.push(one());
    // As many handshakes at a time as a person's programs make.
    while (begun + refused.length < index - 8)
      await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(all);
}

function tellOften(facts: () => object): void {
  let last = "";
  setInterval(() => {
    const text = JSON.stringify(facts());
    if (text !== last) process.stdout.write(`${text}\n`);
    last = text;
  }, 200);
}

if (import.meta.main) {
  const lines = createInterface(process.stdin)[Symbol.asyncIterator]();
  const context = JSON.parse((await lines.next()).value ?? "") as ClusterContext;
  process.stdin.once("end", () => process.exit(0));
  const client = apiClient(contextDoor("crowd", context));
  const [mode, ...words] = process.argv.slice(2);
  void lines.next();
  await (mode === "follow" ? follow(client, words) : watch(client, Number(words[0])));
}
