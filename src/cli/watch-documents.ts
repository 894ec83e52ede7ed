/**
 * `--watch`: shows what the daemon knows as it changes, until Ctrl-C.
 *
 * Invariants: a terminal is redrawn in one write, from the top, each line over its former self, so nothing flickers; a daemon that goes away is
 * waited for, but one that never answered is an error; nothing is asked of the daemon while nothing changes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Resume } from "../client/node-client.ts";
import type { Context } from "./command.ts";
import { documentText, type Format } from "./output/document-format.ts";
import { withProgress } from "./output/progress.ts";

/** Where the documents come from, and how they are shown in each format. */
export interface WatchView<T> {
  /** One at once, and one after each change. */
  readonly open: (signal: AbortSignal, resume: Resume) => AsyncIterable<T>;
  /** For a terminal, without a newline at its end. */
  readonly text: (found: T) => string;
  /** For json and yaml. */
  readonly document: (found: T) => unknown;
  /** As a table where there is no terminal. */
  readonly print: (found: T) => void;
}

/** "retry: in 7s" counts down by itself. */
const TICK_MS = 1000;

/** Resolves to 0 when the user ends it. Throws what the command without --watch throws when the daemon does not answer at first. */
export async function watchDocuments<T>(
  context: Context,
  format: Format,
  intervalMs: number,
  view: WatchView<T>,
): Promise<number> {
  const signal = context.interrupted();
  const screen = format === "table" && context.rows() !== undefined;
  const show = screen ? redrawing(context, view, signal) : appending(context, format, view);
  const resume: Resume = { paused: () => show.wait(true), resumed: () => show.wait(false) };
  const documents = view.open(signal, resume)[Symbol.asyncIterator]();
  let next = await withProgress(context.note, "waiting for the daemon", () => documents.next());
  for (; !next.done; next = await documents.next()) {
    await show.found(next.value);
    // The daemon holds back what we do not read, so the next one is the newest.
    await pause(intervalMs, signal);
  }
  return 0;
}

interface Show<T> {
  found(found: T): Promise<void>;
  /** Whether there is nobody to tell more at the moment. */
  wait(isWaiting: boolean): void;
}

const WAITING = "the daemon does not answer: waiting for it";

function appending<T>(context: Context, format: Format, view: WatchView<T>): Show<T> {
  let count = 0;
  return {
    wait(isWaiting) {
      if (isWaiting) context.note(`${WAITING} …`);
    },
    async found(found) {
      if (format === "json") context.out(`${JSON.stringify(view.document(found))}\n`);
      else if (format === "yaml")
        context.out(`---\n${await documentText(view.document(found), format)}`);
      else {
        if (count > 0) context.out("\n");
        view.print(found);
      }
      count += 1;
    },
  };
}

const CLEAR = "\u001b[H\u001b[2J";
const HOME = "\u001b[H";
const END_OF_LINE = "\u001b[K";
const REST_OF_SCREEN = "\u001b[J";
/** A long line is cut by the terminal while it is drawn, so that each stays one line high. */
const NO_WRAP = "\u001b[?7l";
const WRAP = "\u001b[?7h";

function redrawing<T>(context: Context, view: WatchView<T>, signal: AbortSignal): Show<T> {
  let current: T | undefined;
  let isWaiting = false;
  let drawn: string | undefined;
  const draw = (): void => {
    if (current === undefined) return;
    const rows = context.rows() ?? 24;
    const lines = view.text(current).split("\n");
    if (isWaiting) lines.unshift(`[${context.program}] ${WAITING}; this was before:`);
    const shown = lines.length < rows ? lines : lines.slice(0, rows - 2);
    if (shown.length < lines.length) shown.push(`… ${lines.length - shown.length} lines more`);
    const text = shown.join(`${END_OF_LINE}\n`);
    if (text === drawn) return;
    const start = drawn === undefined ? CLEAR : HOME;
    drawn = text;
    context.out(`${start}${NO_WRAP}${text}${END_OF_LINE}${WRAP}\n${REST_OF_SCREEN}`);
  };
  const tick = setInterval(draw, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(tick), { once: true });
  return {
    wait(now) {
      isWaiting = now;
      draw();
    },
    async found(found) {
      isWaiting = false;
      current = found;
      draw();
    },
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return;
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    // Only our own signal ends it early, and the caller looks at that.
    if (!signal.aborted) throw error;
  }
}
