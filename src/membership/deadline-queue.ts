/**
 * What is due when: a binary heap of actions by time, of which any can be cancelled in O(1).
 *
 * Invariants: `nextMs` is the time of an action that is still to run, never of a cancelled one; cancelled ones are never more than half of
 * the heap, beyond the first few.
 */

export interface Deadline {
  dueMs: number;
  /** Undefined once run or cancelled. */
  action: (() => void) | undefined;
}

/** Cancelled entries that are left alone until their time comes. */
const FEW = 32;

export class DeadlineQueue {
  #heap: Deadline[] = [];
  #cancelled = 0;
  /** The time of the first, NaN when it has to be looked up: it is asked for several times at each input. */
  #nextMs = Number.POSITIVE_INFINITY;

  /** Infinity when nothing is due. */
  get nextMs(): number {
    if (Number.isNaN(this.#nextMs)) {
      this.#dropCancelled();
      this.#nextMs = this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
    }
    return this.#nextMs;
  }

  /** Those to come, and cancelled ones whose time has not come. */
  get size(): number {
    return this.#heap.length;
  }

  at(dueMs: number, action: () => void): Deadline {
    const deadline: Deadline = { dueMs, action };
    this.#heap.push(deadline);
    this.#up(this.#heap.length - 1);
    if (dueMs < this.#nextMs) this.#nextMs = dueMs;
    return deadline;
  }

  cancel(deadline: Deadline | undefined): void {
    if (deadline?.action === undefined) return;
    deadline.action = undefined;
    if (deadline.dueMs <= this.#nextMs) this.#nextMs = Number.NaN;
    this.#cancelled++;
    if (this.#cancelled > FEW && this.#cancelled * 2 > this.#heap.length) this.#sweep();
  }

  /** Runs everything due at `nowMs`, in order of time, also what the actions themselves add. */
  run(nowMs: number): void {
    while (this.nextMs <= nowMs) {
      this.#nextMs = Number.NaN;
      const top = this.#pop();
      const action = top?.action;
      if (top !== undefined) top.action = undefined;
      action?.();
    }
  }

  /** Puts everything off by `ms`; the order stays. */
  shift(ms: number): void {
    this.#nextMs = Number.NaN;
    for (const deadline of this.#heap) deadline.dueMs += ms;
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]?.action === undefined) {
      this.#pop();
      this.#cancelled--;
    }
  }

  /** A list in order of time is a heap. */
  #sweep(): void {
    const rest = this.#heap.filter(({ action }) => action !== undefined);
    this.#heap = rest.sort((a, b) => a.dueMs - b.dueMs);
    this.#cancelled = 0;
  }

  #pop(): Deadline | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) {
      heap[0] = last;
      this.#down(0);
    }
    return top;
  }

  #up(start: number): void {
    const heap = this.#heap;
    const moving = heap[start]!;
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.dueMs <= moving.dueMs) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = moving;
  }

  #down(start: number): void {
    const heap = this.#heap;
    const moving = heap[start]!;
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.dueMs < heap[child]!.dueMs) child++;
      if (heap[child]!.dueMs >= moving.dueMs) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = moving;
  }
}
