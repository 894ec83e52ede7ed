/** The figures of a soak, for its end. Pure. */
import type { SampleFigures } from "./sampler.ts";

export interface CheckFigures {
  readonly looks: number;
  readonly longestMs: number;
  /** Looks that came true after their time, on a machine that was slow. */
  readonly late: number;
}

export interface SoakFigures {
  readonly seed: number;
  readonly minutes: number;
  readonly calms: number;
  readonly events: ReadonlyMap<string, { readonly ok: number; readonly failed: number }>;
  readonly checks: ReadonlyMap<string, CheckFigures>;
  readonly sampled: SampleFigures;
  readonly slowest: number;
  readonly faults: readonly string[];
}

const MIB = 2 ** 20;

export function summary(figures: SoakFigures): string {
  const { seed, minutes, calms, events, checks, sampled, slowest, faults } = figures;
  const total = [...events.values()].reduce((sum, { ok, failed }) => sum + ok + failed, 0);
  const lines = [
    `soak of ${minutes.toFixed(1)} minutes with seed ${seed}: ${total} events, ${calms} calms, ${faults.length} faults`,
    "",
    "event            done  refused or failed in a disturbed place",
    ...[...events]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([type, { ok, failed }]) => `${type.padEnd(15)} ${`${ok}`.padStart(5)}  ${failed}`),
    "",
    "check                        times  longest   late",
    ...[...checks].map(
      ([name, { looks, longestMs, late }]) =>
        `${name.padEnd(27)} ${`${looks}`.padStart(6)} ${`${(longestMs / 1000).toFixed(1)} s`.padStart(8)} ${`${late}`.padStart(6)}`,
    ),
    "",
    `samples ${sampled.samples}, most containers at one time ${sampled.mostContainers}`,
    `longest silence between two probes on a path that nothing touched: ${(sampled.worstGapMs / 1000).toFixed(1)} s`,
    `daemon's own memory, MiB: ${(sampled.memoryStart / MIB).toFixed(1)} at the start, ${(sampled.memoryEnd / MIB).toFixed(1)} at the end, ${(sampled.memoryMost / MIB).toFixed(1)} at most`,
    `processor seconds of all hosts: ${words(sampled.cpuSeconds, 1)}`,
    `most descriptors: ${words(sampled.descriptorsMost, 0)}`,
    `the machine was at worst ${slowest.toFixed(1)} times slower than at rest`,
  ];
  return `${lines.join("\n")}\n`;
}

function words(values: Readonly<Record<string, number>>, digits: number): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value.toFixed(digits)}`)
    .join(", ");
}
