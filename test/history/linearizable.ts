/**
 * Whether what was seen of one register could have happened one after another, each operation at one moment between its beginning and its end.
 *
 * Source: Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with Lowe's memory of what was tried (2017). Pure. The search is exponential at worst; values that are written
 * once keep it short, for each read leaves one write to explain it.
 */
import type { Read, Write } from "./operation.ts";

export interface Unexplained {
  /** No order of what came before explains it. */
  readonly operation: Read | Write;
  /** How many operations were explained in the best order found. */
  readonly explained: number;
}

/** A beginning or an end, in a list from which an operation can be taken out and put back. */
interface Event {
  readonly index: number;
  readonly isEnd: boolean;
  end: Event | undefined;
  previous: Event | undefined;
  next: Event | undefined;
}

interface Taken {
  readonly event: Event;
  readonly state: string | undefined;
}

/** undefined: there is such an order. `operations` are of one key, in any order; the register is empty at first. */
export function unexplained(operations: readonly (Read | Write)[]): Unexplained | undefined {
  const seen = seenValues(operations);
  // What may have happened and was seen by nobody need not have happened.
  const all = operations
    .filter((each) => each.kind === "read" || each.outcome === "done" || seen.has(each.value))
    .toSorted((a, b) => a.beganMs - b.beganMs);
  const head = listOf(all);
  const tried = new Set<string>();
  const taken: Taken[] = [];
  const done = new Uint8Array(all.length);
  let open = all.filter(hasEnd).length;
  let state: string | undefined;
  let worst: Unexplained | undefined;
  let event = head.next;
  while (open > 0 && event !== undefined) {
    const operation = all[event.index] as Read | Write;
    if (!event.isEnd && fits(operation, state)) {
      const after = operation.kind === "write" ? operation.value : state;
      done[event.index] = 1;
      const mark = `${fingerprint(done)} ${after ?? ""}`;
      if (!tried.has(mark)) {
        tried.add(mark);
        taken.push({ event, state });
        state = after;
        takeOut(event);
        if (event.end) open -= 1;
        event = head.next;
        continue;
      }
      done[event.index] = 0;
    }
    if (!event.isEnd) {
      event = event.next;
      continue;
    }
    // It ended here at the latest, and nothing before it lets it fit: one step back.
    if (worst === undefined || taken.length > worst.explained)
      worst = { operation, explained: taken.length };
    const last = taken.pop();
    if (last === undefined) return worst;
    putBack(last.event);
    if (last.event.end) open += 1;
    done[last.event.index] = 0;
    state = last.state;
    event = last.event.next;
  }
  return undefined;
}

function seenValues(operations: readonly (Read | Write)[]): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const each of operations) {
    if (each.kind === "read" && each.value !== undefined) seen.add(each.value);
    // What a write took the place of was there, also when nobody knows whether that write was done.
    if (each.kind === "write" && typeof each.expected === "string") seen.add(each.expected);
  }
  return seen;
}

function hasEnd(operation: Read | Write): boolean {
  return operation.kind === "read" || operation.outcome === "done";
}

function fits(operation: Read | Write, state: string | undefined): boolean {
  if (operation.kind === "read") return operation.value === state;
  return operation.expected === undefined || (operation.expected ?? undefined) === state;
}

function listOf(all: readonly (Read | Write)[]): Event {
  const event = (index: number, isEnd: boolean): Event => ({
    ...{ index, isEnd, end: undefined, previous: undefined, next: undefined },
  });
  const events = all.flatMap((operation, index) => {
    const begin = event(index, false);
    if (!hasEnd(operation)) return [{ atMs: operation.beganMs, event: begin }];
    begin.end = event(index, true);
    return [
      { atMs: operation.beganMs, event: begin },
      { atMs: operation.endedMs, event: begin.end },
    ];
  });
  // Of one moment the beginnings come first: those operations overlap.
  events.sort((a, b) => a.atMs - b.atMs || Number(a.event.isEnd) - Number(b.event.isEnd));
  const head = event(-1, false);
  let last = head;
  for (const { event: next } of events) {
    last.next = next;
    next.previous = last;
    last = next;
  }
  return head;
}

function takeOut(event: Event): void {
  for (const each of event.end ? [event, event.end] : [event]) {
    if (each.previous) each.previous.next = each.next;
    if (each.next) each.next.previous = each.previous;
  }
}

function putBack(event: Event): void {
  for (const each of event.end ? [event.end, event] : [event]) {
    if (each.previous) each.previous.next = each;
    if (each.next) each.next.previous = each;
  }
}

/** Short: all but the first few are done, or not yet. */
function fingerprint(done: Uint8Array): string {
  const first = done.indexOf(0);
  if (first === -1) return "all";
  const rest: number[] = [];
  for (let at = done.indexOf(1, first); at !== -1; at = done.indexOf(1, at + 1)) rest.push(at);
  return `${first}:${rest.join()}`;
}
