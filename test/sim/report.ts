/**
 * The parts of the simulation's report: each measures with fixed seeds and returns Markdown, one also the picture.
 *
 * The same sources give the same report.
 */
import { chart, type Line } from "./chart.ts";
import {
  LONG_STILL_MS,
  measureCalm,
  measureDetection,
  measureJoin,
  measurePause,
  STARVED_STILL_MS,
} from "./measures.ts";
import { IMPATIENT, MEMBERLISTS, OURS, VARIANTS, type Variant } from "./variants.ts";

export interface ReportPart {
  readonly markdown: string;
  readonly picture?: string;
}

const CALM_MS = 120_000;
/** Of calm for each size in the table over sizes. */
const MEMBER_MS = 10_000_000;
const VARIANT_RUNS = 40;
const VARIANT_CALMS = 2;
const STALL_CALMS = 5;
/** Loss and share of starved members of the comparison. */
const HARDSHIPS = [
  [0, 0],
  [0.05, 0],
  [0.1, 0.01],
  [0.3, 0],
  [0.05, 0.25],
] as const;

/** All rules at 64 members. */
export function variantsPart(progress: (line: string) => void): ReportPart {
  const rows = VARIANTS.map(({ title, timing }) => {
    progress(title);
    const times = runs(
      VARIANT_RUNS,
      (seed) => measureDetection({ members: 64, seed, timing }).allMs,
    );
    const died = (pauseMs: number) =>
      runs(VARIANT_RUNS, (seed) => (measurePause({ members: 64, seed, timing }, pauseMs) ? 1 : 0));
    const calm = HARDSHIPS.map(([loss, starved]) =>
      runs(VARIANT_CALMS, (seed) =>
        measureCalm({ members: 64, seed, link: { loss }, starved, timing }, CALM_MS),
      ),
    );
    return [
      title,
      seconds(quantile(times, 0.5)),
      seconds(quantile(times, 0.9)),
      ...[3_000, 4_000, 5_000, 8_000].map((ms) => percent(mean(died(ms)))),
      ...calm.map(
        (results) => `${sum(results, "falseDeaths")} + ${sum(results, "falseDeathsOfStarved")}`,
      ),
      mean(calm[0]!.map((one) => one.packetsPerMemberSecond)).toFixed(2),
      mean(calm[1]!.map((one) => one.packetsPerMemberSecond)).toFixed(2),
    ];
  });
  const header = [
    "rule",
    "all know: median",
    "90 %",
    ...[3, 4, 5, 8].map((pause) => `dies of a pause of ${pause} s`),
    ...HARDSHIPS.map(
      ([loss, starved]) => `false deaths, loss ${percent(loss)}, starved ${percent(starved)}`,
    ),
    "packets/s idle",
    "packets/s, 5 % loss",
  ];
  return { markdown: table(header, rows) };
}

/** Detection, false deaths and bytes over size and loss, ours and memberlist's rule, with the picture. */
export function scalePart(progress: (line: string) => void): ReportPart {
  const sizes = [4, 16, 64, 256];
  const losses = [0, 0.05, 0.1, 0.2];
  const rows: string[][] = [];
  const [detection, bytes, deaths]: Line[][] = [[], [], []];
  for (const variant of [MEMBERLISTS, OURS]) {
    for (const loss of losses) {
      const label = `${variant === OURS ? "ours" : "memberlist's"}, ${percent(loss)} loss`;
      const cells = sizes.map((members) => {
        progress(`${label}, ${members} members`);
        return cell(variant, members, loss);
      });
      const line = (pick: (one: (typeof cells)[number]) => number): Line => ({
        label,
        dashed: variant !== OURS,
        points: cells.map((one) => [one.members, pick(one)]),
      });
      if (loss === 0 || loss === 0.1) {
        detection?.push(line((one) => one.median / 1_000));
        bytes?.push(line((one) => one.bytes));
      }
      if (loss >= 0.1) deaths?.push(line((one) => one.falseDeaths));
      for (const one of cells) {
        rows.push([
          variant.title,
          `${one.members}`,
          percent(loss),
          seconds(one.firstMedian),
          seconds(one.median),
          seconds(one.worst),
          one.falseDeaths.toFixed(2),
          one.packets.toFixed(2),
          one.bytes.toFixed(0),
          one.streamBytes.toFixed(0),
        ]);
      }
    }
  }
  const header = [
    "rule",
    "members",
    "loss",
    "first knows",
    "all know: median",
    "worst",
    "false deaths each hour",
    "packets/s each",
    "bytes/s each",
    "of push/pull",
  ];
  const picture = chart([
    { title: "Kill known to all, median, s", xLabel: "members", lines: detection ?? [] },
    { title: "False deaths of each member in an hour", xLabel: "members", lines: deaths ?? [] },
    { title: "Bytes sent per member and second", xLabel: "members", lines: bytes ?? [] },
  ]);
  return { markdown: table(header, rows), picture };
}

function cell({ timing }: Variant, members: number, loss: number) {
  const link = { loss };
  const count = members >= 256 ? 10 : 30;
  const kills = runs(count, (seed) => measureDetection({ members, seed, link, timing }));
  // As many member-hours for each size.
  const calmMs = MEMBER_MS / members;
  const calm = measureCalm({ members, seed: 1, link, timing }, calmMs);
  const all = kills.map(({ allMs }) => allMs);
  return {
    members,
    median: quantile(all, 0.5),
    worst: quantile(all, 1),
    firstMedian: quantile(
      kills.map(({ firstMs }) => firstMs),
      0.5,
    ),
    falseDeaths: (calm.falseDeaths * 3_600_000) / MEMBER_MS,
    packets: calm.packetsPerMemberSecond,
    bytes: calm.bytesPerMemberSecond,
    streamBytes: calm.streamBytesPerMemberSecond,
  };
}

/** Whether a member that stands still once is held dead. */
export function pausePart(progress: (line: string) => void): ReportPart {
  const pauses = [2, 3, 3.3, 4, 4.4, 5, 6, 8, 10];
  const rows: string[][] = [];
  for (const { title, timing } of [MEMBERLISTS, IMPATIENT, OURS]) {
    for (const members of [3, 4, 8, 16, 64]) {
      progress(`${title}, ${members} members`);
      const shares = pauses.map((pause) =>
        mean(runs(100, (seed) => (measurePause({ members, seed, timing }, pause * 1_000) ? 1 : 0))),
      );
      rows.push([title, `${members}`, ...shares.map(percent)]);
    }
  }
  return { markdown: table(["rule", "members", ...pauses.map((pause) => `${pause} s`)], rows) };
}

/** Who is held dead when hosts stand still again and again. */
export function stallsPart(progress: (line: string) => void): ReportPart {
  const rows: string[][] = [];
  for (const { title, timing } of [MEMBERLISTS, IMPATIENT, OURS]) {
    for (const members of [8, 64]) {
      progress(`${title}, ${members} members`);
      const deaths = [STARVED_STILL_MS, LONG_STILL_MS].map((stillMs) => {
        const starved = members === 8 ? 1 / 8 : 1 / 16;
        const calm = (seed: number) =>
          measureCalm({ members, seed, starved, stillMs, timing }, CALM_MS);
        const all = runs(STALL_CALMS, calm);
        return `${sum(all, "falseDeaths")} + ${sum(all, "falseDeathsOfStarved")}`;
      });
      rows.push([title, `${members}`, members === 8 ? "1" : "4", ...deaths]);
    }
  }
  const header = ["rule", "members", "starved", "still for 0.2 to 3 s", "0.2 to 6 s"];
  return { markdown: table(header, rows) };
}

/** Time until strangers that join one member all know each other. */
export function convergencePart(progress: (line: string) => void): ReportPart {
  const plans = [
    [16, 200, 0],
    [64, 1_000, 0],
    [64, 200, 0.1],
    [256, 20, 0],
  ] as const;
  const rows = plans.map(([members, seeds, loss]) => {
    progress(`${members} members, ${seeds} seeds`);
    const times = runs(seeds, (seed) => measureJoin({ members, seed, link: { loss } }));
    const quantiles = [0.5, 0.9, 0.99, 0.999, 1].map((share) => quantile(times, share));
    const ratio = (quantiles[4]! / quantiles[0]!).toFixed(2);
    return [`${members}`, `${seeds}`, percent(loss), ...quantiles.map(seconds), ratio];
  });
  const header = [
    "members",
    "seeds",
    "loss",
    "median",
    "90 %",
    "99 %",
    "99.9 %",
    "worst",
    "worst/median",
  ];
  return { markdown: table(header, rows) };
}

/** One line of the table of large runs. */
export interface LargeRun {
  readonly command: string;
  readonly settledMs: number;
  readonly virtualMs: number;
  readonly falseDeaths: number;
  readonly packetsPerMemberSecond: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly memoryMiB: number;
}

export function largePart(all: readonly LargeRun[]): ReportPart {
  const header = [
    "run",
    "all agree after",
    "simulated",
    "false deaths",
    "packets/s each",
    "wall",
    "user time",
    "memory",
  ];
  const rows = all.map((run) => [
    `\`${run.command}\``,
    seconds(run.settledMs),
    seconds(run.virtualMs),
    `${run.falseDeaths}`,
    run.packetsPerMemberSecond.toFixed(1),
    `${run.wallSeconds.toFixed(0)} s`,
    `${run.cpuSeconds.toFixed(0)} s`,
    `${run.memoryMiB.toFixed(0)} MiB`,
  ]);
  return { markdown: table(header, rows) };
}

function runs<T>(count: number, one: (seed: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => one(index + 1));
}

/** The value below which `share` of all lie; NaN (never) counts as the largest. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values
    .map((value) => (Number.isNaN(value) ? Infinity : value))
    .sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

function sum<K extends string>(values: readonly Readonly<Record<K, number>>[], key: K): number {
  return values.reduce((total, value) => total + value[key], 0);
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1_000).toFixed(2)} s` : "never";
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}
