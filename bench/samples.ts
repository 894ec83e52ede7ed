/** Figures of a benchmark: medians and percentiles of samples, and rows that set ours against a peer's in one run. */

export interface Row {
  readonly figure: string;
  /** Seconds, or as `unit` says. */
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  readonly unit: string;
  /** How `ours` is held against `peer`. */
  readonly compare: "ratio" | "difference" | "absolute";
  /** What the comparison should not exceed, or with the bound "least" not fall below; undefined for a figure to know only. */
  readonly target: number | undefined;
  readonly bound?: "least";
  /** Samples taken in pairs: the ratio is then the median of theirs. */
  readonly pairs?: { readonly ours: readonly number[]; readonly peer: readonly number[] };
  readonly samples: number;
}

export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

export function compared(row: Row): number {
  if (row.pairs) {
    const { ours, peer } = row.pairs;
    return median(ours.map((value, index) => value / (peer[index] ?? Number.NaN)));
  }
  if (row.compare === "ratio") return row.ours / row.peer;
  return row.compare === "difference" ? row.ours - row.peer : row.ours;
}

function verdict(row: Row): readonly [string, string] {
  const { target, bound } = row;
  if (target === undefined) return ["-", ""];
  if (Number.isNaN(compared(row))) return [`${target}`, "no figure"];
  const isMet = bound === "least" ? compared(row) >= target : compared(row) <= target;
  return [`${bound === "least" ? ">=" : "<="} ${target}`, isMet ? "met" : "NOT MET"];
}

/** "-" for a figure that there is not. */
function shown(value: number, unit: string): string {
  return Number.isNaN(value) ? "-" : `${value.toFixed(3)} ${unit}`.trimEnd();
}

/** The rows as an aligned table with a verdict each. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.figure,
    shown(row.ours, row.unit),
    row.compare === "absolute" ? "-" : `${shown(row.peer, row.unit)} (${row.peerName})`,
    shown(compared(row), row.compare === "ratio" ? "x" : row.unit),
    ...verdict(row),
    `n=${row.samples}`,
  ]);
  const all = [["figure", "ours", "peer", "compared", "target", "", ""], ...cells];
  const widths = (all[0] ?? []).map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0)),
  );
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
