/** Aligned columns of plain or painted text. Pure. */

/** Escape sequences take no place on the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what an escape sequence begins with
const ESCAPE = /\u001b\[[0-9;]*m/g;

/**
 * Rows as lines, each column as wide as its longest cell or its entry in `least`, two spaces or `gap` apart. The last cell of a row is not padded, and no cell
 * is ever cut or wrapped.
 */
export function alignColumns(
  rows: readonly (readonly string[])[],
  { least = [], gap = "  " }: { readonly least?: readonly number[]; readonly gap?: string } = {},
): string {
  const widths = [...least];
  for (const row of rows) {
    for (let column = 0; column < row.length - 1; column += 1) {
      widths[column] = Math.max(widths[column] ?? 0, width(row[column] ?? ""));
    }
  }
  const lines = rows.map((row) => {
    let line = "";
    for (let column = 0; column < row.length - 1; column += 1) {
      line += padded(row[column] ?? "", widths[column] ?? 0) + gap;
    }
    return (line + (row.at(-1) ?? "")).trimEnd();
  });
  return lines.join("\n");
}

function padded(cell: string, wanted: number): string {
  return cell.padEnd(wanted + cell.length - width(cell));
}

/** A list of hundreds of containers is thousands of cells, most of them plain. */
function width(cell: string): number {
  return cell.includes("\u001b") ? cell.replace(ESCAPE, "").length : cell.length;
}
