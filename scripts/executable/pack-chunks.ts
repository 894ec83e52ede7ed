/**
 * All chunks and their code as one run of bytes, and where each lies in it.
 *
 * One asset of the executable and not one for each: whenever Node is asked for an asset it copies its table of all assets, which with 350 of
 * them took as long as the chunks of a small command themselves.
 */
import type { Bundle } from "./bundle-chunks.ts";

/** Where the source of a chunk begins and how long it is, then its code: [begin, length, begin, length]. */
export type ChunkPlace = readonly [number, number, number, number];

/** V8 copies code that does not begin at a word. */
const WORD = 8;

export interface ChunkPlaces {
  readonly each: Readonly<Record<string, ChunkPlace>>;
  /** One script more, whose value is an array of the functions of these chunks: they are wanted together, or one by one by others. */
  readonly commandLine: { readonly names: readonly string[]; readonly place: ChunkPlace };
}

/** The bytes, and the places in it. */
export function packChunks(
  { chunks, commandLine }: Bundle,
  codeOf: (source: string) => Buffer,
): { readonly bytes: Buffer; readonly places: ChunkPlaces } {
  const pieces: Buffer[] = [];
  let length = 0;
  const put = (piece: Buffer): readonly [number, number] => {
    const begin = length;
    const padding = Buffer.alloc(-piece.length & (WORD - 1));
    pieces.push(piece, padding);
    length += piece.length + padding.length;
    return [begin, piece.length];
  };
  const putScript = (source: string): ChunkPlace => [
    ...put(Buffer.from(source, "latin1")),
    ...put(codeOf(source)),
  ];
  const sources = new Map(chunks.map(({ name, source }) => [name, source]));
  const each = chunks.map(({ name, source }) => [name, putScript(source)] as const);
  const together = `[${commandLine.map((name) => sources.get(name)).join(",\n")}]`;
  const places: ChunkPlaces = {
    each: Object.fromEntries(each),
    commandLine: { names: commandLine, place: putScript(together) },
  };
  return { bytes: Buffer.concat(pieces), places };
}
