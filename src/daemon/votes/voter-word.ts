/**
 * What this voter's etcd says of itself, in time also where its disk is slow: etcd answers nothing, of its state either, while it writes its file.
 *
 * Invariants: one question is under way at a time, whoever asks; of an etcd that is late is told what it said last, marked as such, for as long as it answers at
 * all within PATIENCE_MS. Nobody may count on such a voter: while a disk hangs nothing tells whether it still follows.
 */
import type { Voter } from "../../api/store-schemas.ts";
import { HansaError } from "../../errors.ts";
import type { StoreStatus } from "../../store/store.ts";
import type { VoterRecord } from "../../store/voter-record.ts";
import type { VoterPlace } from "./voter-place.ts";

export interface VoterWordOptions {
  readonly place: Pick<VoterPlace, "link" | "record" | "timing">;
  /** What is measured beside: of its disk, and of the way to the witness, where there is one. */
  readonly measured: () => Pick<NonNullable<Voter["times"]>, "fsyncMs" | "witnessMs">;
}

/** Who asks waits for a second at most, and some way is between. */
const PROMPT_MS = 400;
/** Several writes of a disk that takes seconds for each. */
const PATIENCE_MS = 15_000;

interface Said {
  readonly status: StoreStatus;
  /** Of whom: etcd may run as another member by now. */
  readonly record: VoterRecord | undefined;
}

export class VoterWord {
  readonly #options: VoterWordOptions;
  #asking: Promise<StoreStatus> | undefined;
  #last: Said | undefined;

  constructor(options: VoterWordOptions) {
    this.#options = options;
  }

  /** Undefined where it has no vote. Throws as a store does, where it did not answer for PATIENCE_MS. */
  async ask(): Promise<Voter | undefined> {
    const { place, measured } = this.#options;
    const link = await place.link();
    if (link === undefined) return undefined;
    const asking = this.#ask((withinMs) => link.store.status(withinMs));
    const prompt = await within(asking, PROMPT_MS);
    const known = prompt === undefined ? this.#known : undefined;
    const { member, leader, isLearner, applied, bytes, inUse } = prompt ?? known ?? (await asking);
    return {
      ...{ member: member.toString(16), isLearner, applied: `${applied}` },
      leader: leader === undefined ? null : leader.toString(16),
      ...{ bytes: Number(bytes), inUse: Number(inUse) },
      times: { ...place.timing, ...measured() },
      ...(known && { isLate: true }),
    };
  }

  /** Why it does not answer, where it is only late. */
  get slowness(): HansaError | undefined {
    return this.#known && voterSlow(this.#options.measured().fsyncMs);
  }

  /** What it said last, as the member that it still is. */
  get #known(): StoreStatus | undefined {
    return this.#last?.record === this.#options.place.record ? this.#last?.status : undefined;
  }

  #ask(status: (withinMs: number) => Promise<StoreStatus>): Promise<StoreStatus> {
    if (this.#asking) return this.#asking;
    const { record } = this.#options.place;
    const asking = status(PATIENCE_MS).finally(() => {
      this.#asking = undefined;
    });
    asking.then(
      (said) => {
        this.#last = { status: said, record };
      },
      // Told to those who waited for it. What it said before is too old by now.
      () => {
        this.#last = undefined;
      },
    );
    this.#asking = asking;
    return asking;
  }
}

/** Of a voter whose disk takes `fsyncMs` to keep a write; null: not known. */
export function voterSlow(fsyncMs: number | null): HansaError {
  const disk = fsyncMs === null ? "" : `: its disk takes ${Math.round(fsyncMs)} ms to keep a write`;
  return new HansaError("STORE_VOTER_SLOW", `this part of the store answers late${disk}`);
}

/** Undefined when it takes longer. Rejects as `work` does. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
