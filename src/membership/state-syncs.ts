/**
 * When whole states are exchanged, and with whom: with a random member every interval, and more often for a while after the cluster grew.
 *
 * Invariant: at most one push/pull is planned besides the round's, and growth by a few members, however long it goes on, costs a bounded number of them.
 */
import type { Context } from "./context.ts";
import type { Deadline } from "./deadline-queue.ts";
import { pushPullIntervalMs } from "./timing.ts";

/** After the cluster has stopped growing so many push/pulls more, each after twice the time, find who was missed. */
const SYNCS_AFTER_GROWTH = 3;
/** And at most so many times they begin anew because somebody was found, or a trickle of newcomers would keep them up for ever. */
const SYNCS_BEGUN_ANEW = 8;

/** The push/pulls that one machine begins. */
export class StateSyncs {
  readonly #context: Context;
  #syncTick: Deadline | undefined;
  #soonSync: Deadline | undefined;
  /** Push/pulls still to be done because of growth. */
  #syncsToGo = 0;
  #syncsToRenew = 0;
  /** Live members when we last began a push/pull, or at the start. */
  #liveAtSync: number;

  constructor(context: Context) {
    this.#context = context;
    this.#liveAtSync = context.table.liveCount;
  }

  /** After each input: starts the rounds when there is somebody, and notices growth. */
  settle(): void {
    const { table, timing, random, nowMs, deadlines, hasLeft } = this.#context;
    if (hasLeft || table.liveCount === 0) return;
    this.#syncTick ??= deadlines.at(
      nowMs + random() * pushPullIntervalMs(timing, table.liveCount + 1),
      () => this.#syncNext(),
    );
    this.#syncAfterGrowth();
  }

  /** Ends all rounds. */
  stop(): void {
    const { deadlines } = this.#context;
    deadlines.cancel(this.#syncTick);
    deadlines.cancel(this.#soonSync);
  }

  #syncNext(): void {
    const { table, timing, nowMs, deadlines } = this.#context;
    this.#syncTick = undefined;
    if (table.liveCount === 0) return;
    const intervalMs = pushPullIntervalMs(timing, table.liveCount + 1);
    this.#syncTick = deadlines.at(nowMs + intervalMs, () => this.#syncNext());
    this.#syncNow();
  }

  /**
   * Gossip misses a few pairs when many join at once (a rumour sent k times misses a member with probability e^-k), and the news of many takes
   * its time. Whoever saw the cluster grow by an eighth since its last push/pull does one more, soon, and goes on, ever more slowly, until
   * nobody new came before any of the last few: each squares the share of members that one does not know. It ends also when few come, but
   * for ever.
   */
  #syncAfterGrowth(): void {
    const { table } = this.#context;
    this.#liveAtSync = Math.min(this.#liveAtSync, table.liveCount);
    if (table.liveCount <= this.#liveAtSync * 1.125) return;
    this.#syncsToGo = SYNCS_AFTER_GROWTH;
    this.#syncsToRenew = SYNCS_BEGUN_ANEW;
    this.syncSoon();
  }

  /**
   * One push/pull more, soon. Also for whoever was known at another address until now: what was sent there, answers to questions of its own among it,
   * is lost, and the next round is half a minute away.
   */
  syncSoon(): void {
    this.#planSync(1);
  }

  /** At most one is planned, at the earliest time that was asked for. */
  #planSync(factor: number): void {
    const { timing, nowMs, deadlines, random, hasLeft, table } = this.#context;
    const latestMs = nowMs + 1.5 * factor * timing.growthSyncMs;
    if (hasLeft || (this.#soonSync !== undefined && this.#soonSync.dueMs <= latestMs)) return;
    deadlines.cancel(this.#soonSync);
    const dueMs = nowMs + (0.5 + random()) * factor * timing.growthSyncMs;
    this.#soonSync = deadlines.at(dueMs, () => {
      this.#soonSync = undefined;
      const hasGrown = table.liveCount > this.#liveAtSync;
      if (hasGrown && this.#syncsToGo > 0 && this.#syncsToRenew > 0) {
        this.#syncsToRenew--;
        this.#syncsToGo = SYNCS_AFTER_GROWTH;
      } else this.#syncsToGo = Math.max(0, this.#syncsToGo - 1);
      this.#syncNow();
      if (this.#syncsToGo > 0) this.#planSync(2 ** (SYNCS_AFTER_GROWTH - this.#syncsToGo));
    });
  }

  #syncNow(): void {
    const { table, outbox } = this.#context;
    this.#liveAtSync = table.liveCount;
    const [slot] = table.randomLive(1, (candidate) => table.state(candidate) === "alive");
    if (slot === undefined) return;
    const { name: node, endpoint: to } = table.record(slot);
    outbox.emit({ type: "sync", to, node });
  }
}
