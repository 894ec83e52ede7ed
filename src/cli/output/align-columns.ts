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
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? 0, width(cell));
    }
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const missing = (widths[column] ?? 0) - width(cell);
          return column === row.length - 1 ? cell : cell + " ".repeat(Math.max(0, missing));
        })
        .join(gap)
        .trimEnd(),
    )
    .join("\n");
}

function width(cell: string): number {
  return cell.replace(ESCAPE, "").length;
}
