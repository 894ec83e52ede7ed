/**
 * What this voter's etcd says of itself, in time also where its disk is slow: etcd answers nothing, of its state either, while it writes its file, and yet follows
 * its leader meanwhile.
 *
 * Invariants: one question is under way at a time, whoever asks; of an etcd that is late is told what it said last, and only while its metrics, which wait for
 * no disk, say that it knows a leader. So `applied` may be too little, never too much.
 */
import type { Voter } from "../../api/store-schemas.ts";
import { HansaError } from "../../errors.ts";
import { leaderGauges } from "../../store/etcd/leader-gauges.ts";
import type { StoreStatus } from "../../store/store.ts";
import type { VoterRecord } from "../../store/voter-record.ts";
import type { VoterPlace } from "./voter-place.ts";

export interface VoterWordOptions {
  readonly place: Pick<VoterPlace, "link" | "metrics" | "record" | "timing">;
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

  /** Undefined where it has no vote. Throws as a store does, where it never answered yet or knows of no leader. */
  async ask(): Promise<Voter | undefined> {
    const { place, measured } = this.#options;
    const link = await place.link();
    if (link === undefined) return undefined;
    const asking = this.#ask((withinMs) => link.store.status(withinMs));
    const prompt = await within(asking, PROMPT_MS);
    const { member, leader, isLearner, applied, bytes, inUse } =
      prompt ?? (await this.#late(asking));
    return {
      ...{ member: member.toString(16), isLearner, applied: `${applied}` },
      leader: leader === undefined ? null : leader.toString(16),
      ...{ bytes: Number(bytes), inUse: Number(inUse) },
      times: { ...place.timing, ...measured() },
      ...(prompt === undefined && { isLate: true }),
    };
  }

  /** Why it does not answer, where it is only late. */
  async slowness(): Promise<HansaError | undefined> {
    const { record } = this.#options.place;
    if (this.#last === undefined || this.#last.record !== record) return undefined;
    const { hasLeader } = await this.#gauges();
    const { fsyncMs = null } = this.#options.measured();
    return hasLeader ? voterSlow(fsyncMs) : undefined;
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
      // Told to those who waited for it.
      () => undefined,
    );
    this.#asking = asking;
    return asking;
  }

  /** What it said last, as far as that still holds. */
  async #late(asking: Promise<StoreStatus>): Promise<StoreStatus> {
    const last = this.#last;
    if (last === undefined || last.record !== this.#options.place.record) return await asking;
    const { hasLeader, leads } = await this.#gauges();
    const { member, leader } = last.status;
    if (!hasLeader) return { ...last.status, leader: undefined };
    if (leads) return { ...last.status, leader: member };
    return { ...last.status, leader: leader === member ? undefined : leader };
  }

  async #gauges(): Promise<ReturnType<typeof leaderGauges>> {
    try {
      return leaderGauges(await this.#options.place.metrics());
    } catch (error) {
      const why = error instanceof Error ? error.message : error;
      throw new HansaError("STORE_UNREACHABLE", `the store does not answer on this host: ${why}`, {
        cause: error,
      });
    }
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
