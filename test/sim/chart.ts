/** A picture of lines as SVG text: several panels side by side, each with a logarithmic x axis and a y axis from 0. */

export interface Line {
  readonly label: string;
  /** In order of x; x is above 0. */
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly dashed?: boolean;
}

export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly lines: readonly Line[];
}

const WIDTH = 340;
const HEIGHT = 260;
const LEFT = 46;
const RIGHT = 12;
const TOP = 30;
const BOTTOM = 70;
const COLOURS = ["#1f6f8b", "#c8553d", "#588157", "#8338ec", "#6c757d", "#e09f3e"];

/** The picture; its text needs no font but the reader's own. */
export function chart(panels: readonly Panel[]): string {
  const width = WIDTH * panels.length;
  const legendRows = Math.max(...panels.map(({ lines }) => Math.ceil(lines.length / 2)));
  const height = HEIGHT + legendRows * 14;
  const drawn = panels.map((panel, index) => drawPanel(panel, index * WIDTH));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...drawn.flat(),
    "</svg>",
    "",
  ].join("\n");
}

function drawPanel({ title, xLabel, lines }: Panel, offset: number): string[] {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort(
    (a, b) => a - b,
  );
  const most = niceCeiling(Math.max(0, ...lines.flatMap(({ points }) => points.map(([, y]) => y))));
  const [least, largest] = [Math.log(xs[0] ?? 1), Math.log(xs.at(-1) ?? 1)];
  const xAt = (x: number) =>
    offset + LEFT + ((Math.log(x) - least) / (largest - least || 1)) * (WIDTH - LEFT - RIGHT);
  const yAt = (y: number) => HEIGHT - BOTTOM - (y / most) * (HEIGHT - TOP - BOTTOM);
  const out = [text(offset + LEFT, 18, title, 'font-weight="bold"')];
  for (let step = 0; step <= 4; step++) {
    const y = (most * step) / 4;
    const [from, to] = [offset + LEFT, offset + WIDTH - RIGHT];
    out.push(`<path d="M${from} ${yAt(y).toFixed(1)}H${to}" stroke="#dddddd"/>`);
    out.push(text(offset + LEFT - 6, yAt(y) + 4, short(y), 'text-anchor="end"'));
  }
  for (const x of xs)
    out.push(text(xAt(x), HEIGHT - BOTTOM + 16, short(x), 'text-anchor="middle"'));
  out.push(text(offset + (WIDTH + LEFT) / 2, HEIGHT - BOTTOM + 32, xLabel, 'text-anchor="middle"'));
  for (const [index, line] of lines.entries()) {
    const colour = COLOURS[index % COLOURS.length]!;
    const dash = line.dashed ? ' stroke-dasharray="5 3"' : "";
    const path = line.points.map(([x, y]) => `${xAt(x).toFixed(1)},${yAt(y).toFixed(1)}`).join(" ");
    out.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`);
    const x = offset + LEFT + (index % 2) * 145;
    const y = HEIGHT - BOTTOM + 52 + Math.floor(index / 2) * 14;
    out.push(`<path d="M${x} ${y - 4}h18" stroke="${colour}" stroke-width="2"${dash}/>`);
    out.push(text(x + 23, y, line.label));
  }
  return out;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  const safe = content.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${safe}</text>`;
}

function short(value: number): string {
  return value >= 1_000
    ? `${Number((value / 1_000).toPrecision(3))}k`
    : `${Number(value.toPrecision(3))}`;
}

/** The next of 1, 2, 4, 5, 8, 10, ... times a power of ten, so that quarters are plain numbers. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 5, 8, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}
