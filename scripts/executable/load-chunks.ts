/**
 * What the executable runs first: loads chunks of the program, with the code that was made ahead, as they are asked for.
 *
 * Bundled to CommonJS on its own. Without valid code V8 compiles the source, so the program is then slower and nothing else.
 */
import { getRawAsset } from "node:sea";
import { Script } from "node:vm";
import { lazyBuiltins } from "./lazy-builtins.ts";
import type { ChunkPlace, ChunkPlaces } from "./pack-chunks.ts";

/** Filled in by the build. */
declare const FIRST_CHUNK: string;
/** JSON of ChunkPlaces: read faster than a literal, of which each string and array would be V8's to make. */
declare const CHUNK_PLACES: string;

interface Loaded {
  readonly exports: object;
}

type ChunkFunction = (
  exports: object,
  require: (id: string) => unknown,
  module: Loaded,
  filename: string,
  dirname: string,
) => void;

/** Lies in the executable and must not be written to. */
const pack = getRawAsset("chunks") as ArrayBuffer;
const { each, commandLine } = JSON.parse(CHUNK_PLACES) as ChunkPlaces;
const builtin = lazyBuiltins(require);
const loaded = new Map<string, Loaded>();
/** Of the command line, once its first chunk was asked for. */
const ready = new Map<string, ChunkFunction>();

need(`./${FIRST_CHUNK}`);

/** `require` of all chunks: of "./NAME" another chunk, else a module of Node's. */
function need(id: string): unknown {
  if (!id.startsWith("./")) return builtin(id);
  const known = loaded.get(id);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  loaded.set(id, module);
  const run = functionOf(id.slice(2));
  run(module.exports, need, module, process.execPath, process.execPath);
  return module.exports;
}

function functionOf(name: string): ChunkFunction {
  const { names, place } = commandLine;
  if (name === names[0]) {
    const functions = script(place, "command-line.js") as ChunkFunction[];
    for (const [index, run] of functions.entries()) ready.set(names[index] ?? "", run);
  }
  return ready.get(name) ?? (script(each[name] as ChunkPlace, name) as ChunkFunction);
}

/** What the script at `place` comes to. */
function script([begin, length, code, codeLength]: ChunkPlace, name: string): unknown {
  const source = Buffer.from(pack, begin, length).toString("latin1");
  const cachedData = Buffer.from(pack, code, codeLength);
  return new Script(source, { filename: `hansa:${name}`, cachedData }).runInThisContext();
}
