/** What one node has heard of one question: copies, echoes, the report; and those who wait for them. */
import type { Arrivals } from "../../doctor/facts.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { Ask, DoctorReportMessage, Echo } from "./doctor-message.ts";

export class Notes {
  readonly #other: NodeId;
  readonly #sizes = { udp: new Set<number>(), tunnel: new Set<number>() };
  readonly #echo = Promise.withResolvers<void>();
  readonly #report = Promise.withResolvers<void>();
  #tcp = false;
  report: DoctorReportMessage | undefined;
  /** The other's clock minus ours, from the exchange that took least. */
  clock: { readonly skewMs: number; readonly rttMs: number } | undefined;

  /** `other` is whose copies count. */
  constructor(other: NodeId) {
    this.#other = other;
  }

  get arrived(): Arrivals {
    const sorted = (sizes: ReadonlySet<number>): number[] => [...sizes].sort((a, b) => a - b);
    return {
      udp: sorted(this.#sizes.udp),
      tunnel: sorted(this.#sizes.tunnel),
      tcp: this.#tcp,
    };
  }

  takeCopy({ path, size }: Ask | Echo): void {
    if (path === "tcp") this.#tcp = true;
    // A sender that goes on inventing sizes fills nothing.
    else if (path !== "detour" && this.#sizes[path].size < 16) this.#sizes[path].add(size);
  }

  takeEcho(sender: NodeId, echo: Echo, nowMs: number): void {
    if (sender !== this.#other) return;
    this.takeCopy(echo);
    const { askedMs, gotMs, sentMs } = echo;
    const rttMs = Math.max(0, nowMs - askedMs - (sentMs - gotMs));
    if (this.clock === undefined || rttMs < this.clock.rttMs) {
      this.clock = { skewMs: (gotMs - askedMs + (sentMs - nowMs)) / 2, rttMs };
    }
    this.#echo.resolve();
  }

  takeReport(sender: NodeId, report: DoctorReportMessage): void {
    if (sender !== this.#other || this.report !== undefined) return;
    this.report = report;
    // Who reports was reached, whatever became of its echoes.
    this.#echo.resolve();
    this.#report.resolve();
  }

  /** True as soon as an echo or the report came, false after `withinMs`. */
  hasEcho(withinMs: number): Promise<boolean> {
    return within(this.#echo.promise, withinMs);
  }

  hasReport(withinMs: number): Promise<boolean> {
    return within(this.#report.promise, withinMs);
  }
}

async function within(event: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([event.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
