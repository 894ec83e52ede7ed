/**
 * The figures of our membership against memberlist's, on one machine in one run: trials alternate ours and theirs, so that what else
 * the machine does falls on both.
 *
 * Same intervals, fan-out, packet budget (both have memberlist's LAN defaults), key, metadata, programs' orders; without a label, which
 * memberlist 0.2.2 does not have. Its compression is on, as its defaults have it.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGo } from "../../test/interop/go-build.ts";
import { median, type Row } from "../samples.ts";
import { NodeProgram } from "./node-program.ts";
import { replayFile } from "./replay.ts";
import { PATIENCE_MS, type Plan, type Shape, type TrialFigures, trial } from "./trial.ts";

export interface MembershipBench {
  readonly shapes: readonly Shape[];
  /** Clusters that form by a storm of joins, of each shape and side. */
  readonly rounds: number;
  /** Clusters that form gently, idle and lose a member, of each shape and side. */
  readonly lives: number;
  readonly idleSeconds: number;
}

const STORM: Plan = { spacingMs: 0, idleSeconds: 0, kill: false };
const SPACING_MS = 40;
const UPDATES = 100_000;
const PEER = "memberlist";

/** Both sides' samples of one figure. */
interface Pair<T> {
  readonly ours: T[];
  readonly theirs: T[];
}

interface Programs {
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

/** Runs the bench; `progress` is told what was just measured, one line each. */
export async function membershipRows(
  bench: MembershipBench,
  progress: (line: string) => void,
): Promise<Row[]> {
  const programs: Programs = {
    ours: [process.execPath, join(import.meta.dirname, "hansa-nodes.ts")],
    theirs: [await buildGo({ package: "hansa/bench", roots: ["bench/membership/go"] })],
  };
  const rows: Row[] = [];
  for (const shape of bench.shapes) {
    const pairs = async (count: number, plan: Plan): Promise<Pair<TrialFigures>> => {
      const pair: Pair<TrialFigures> = { ours: [], theirs: [] };
      for (let round = 0; round < count; round += 1) {
        for (const side of ["ours", "theirs"] as const) {
          const figures = await trial(`hbm${process.pid}`, programs[side], shape, plan);
          pair[side].push(figures);
          progress(`${named(shape)} ${side}: ${JSON.stringify(figures)}`);
        }
      }
      return pair;
    };
    rows.push(...stormRows(named(shape), shape, await pairs(bench.rounds, STORM)));
    const life = { spacingMs: SPACING_MS, idleSeconds: bench.idleSeconds, kill: true };
    rows.push(...lifeRows(named(shape), shape, await pairs(bench.lives, life)));
  }
  rows.push(await throughputRow(programs, progress));
  return rows;
}

function named({ nodes, processes }: Shape): string {
  return processes === 1 ? `N=${nodes}` : `N=${nodes} in ${processes} processes`;
}

function row(
  figure: string,
  ours: readonly number[],
  theirs: readonly number[],
  rest: { readonly unit: string; readonly target?: number | undefined },
  figureOf: (samples: readonly number[]) => number = median,
): Row {
  const [oursIs, peer] = [figureOf(ours), figureOf(theirs)];
  const { unit, target } = rest;
  const samples = ours.length;
  return { figure, ours: oursIs, peer, peerName: PEER, unit, compare: "ratio", target, samples };
}

function stormRows(name: string, { nodes }: Shape, pair: Pair<TrialFigures>): Row[] {
  if (pair.ours.length === 0) return [];
  // Who did not form in time counts with that time.
  const of = (figures: readonly TrialFigures[]) =>
    figures.map(({ convergeSeconds }) => convergeSeconds ?? PATIENCE_MS / 1000);
  const [ours, theirs] = [of(pair.ours), of(pair.theirs)];
  const what = `${name}: all join one at once, until all see all`;
  const worst = (samples: readonly number[]) => Math.max(...samples);
  const tail = (samples: readonly number[]) => worst(samples) / median(samples);
  return [
    row(`${what}, median`, ours, theirs, { unit: "s", target: nodes >= 64 ? 1 : undefined }),
    row(`${what}, worst`, ours, theirs, { unit: "s" }, worst),
    {
      ...row(`${name}: worst of these against the median`, ours, theirs, { unit: "x" }, tail),
      compare: "absolute",
      target: nodes >= 64 ? 2 : undefined,
    },
  ];
}

function lifeRows(name: string, shape: Shape, pair: Pair<TrialFigures>): Row[] {
  if (pair.ours.length === 0) return [];
  const isHeard = (value: number | undefined): value is number => value !== undefined;
  const figure = (
    what: string,
    unit: string,
    of: (figures: TrialFigures) => number | undefined,
    target?: number,
  ) =>
    row(
      `${name}: ${what}`,
      pair.ours.map(of).filter(isHeard),
      pair.theirs.map(of).filter(isHeard),
      {
        unit,
        target,
      },
    );
  const { nodes, processes } = shape;
  return [
    figure("a kill, until the first knows", "s", ({ kill }) => kill?.first),
    figure("a kill, until all know", "s", ({ kill }) => kill?.all, nodes === 64 ? 0.5 : undefined),
    figure("idle, datagrams a second", "/s", ({ idle }) => idle?.datagramsPerSecond, 1),
    figure("idle, bytes a second", "B/s", ({ idle }) => idle?.bytesPerSecond),
    figure(
      "idle, CPU seconds a member-minute",
      "s",
      ({ idle }) => idle?.cpuPerMinute,
      nodes === 256 && processes === 1 ? 2 : undefined,
    ),
    figure("memory a member", "MiB", ({ idle }) => idle?.residentMiB),
    { ...figure("held dead alive", "", ({ wronglyDead }) => wronglyDead), compare: "difference" },
  ];
}

/** One program after the other replays the same encrypted packets, in pairs. */
async function throughputRow(
  { ours, theirs }: Programs,
  progress: (line: string) => void,
): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), "hansa-replay-"));
  const samples: Pair<number> = { ours: [], theirs: [] };
  try {
    const file = join(folder, "packets");
    writeFileSync(file, replayFile(UPDATES));
    for (let round = 0; round < 3; round += 1) {
      for (const side of ["ours", "theirs"] as const) {
        const program = new NodeProgram(side === "ours" ? ours : theirs);
        try {
          program.order({ op: "replay", file, updates: UPDATES });
          const { saying } = await program.heard("replayed");
          samples[side].push(saying.updates / saying.seconds / 1000);
          progress(`core ${side}: ${JSON.stringify(saying)}`);
        } finally {
          await program.kill();
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return row("core: alive messages decrypted, decoded, applied", samples.ours, samples.theirs, {
    unit: "thousand/s",
  });
}
