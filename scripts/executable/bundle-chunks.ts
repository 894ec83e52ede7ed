/**
 * The program as chunks: what is loaded together is one, and each import() begins others.
 *
 * esbuild splits ES modules only, and a single executable loads no ES module but its main one; so each chunk is turned into a CommonJS function
 * afterwards. Names stay as in the sources: that costs no time, and a stack trace can be read.
 */
import { basename, join } from "node:path";
import { build, type Metafile, transform } from "esbuild";

export interface Chunk {
  /** "chunk-AB12CD34.js"; what chunks call each other, with "./" before it. */
  readonly name: string;
  /** `(function (exports, require, module, __filename, __dirname) {…})`, all ASCII. */
  readonly source: string;
}

export interface Bundle {
  readonly chunks: readonly Chunk[];
  /** Names of what each command loads before it is known which one it is, and no role of a host's processes; the one that is asked for first stands first. */
  readonly commandLine: readonly string[];
}

/** The chunk of src/main.ts, where the program begins. */
export const FIRST_CHUNK = "main.js";

/** What src/main.ts imports for a command, in its order. */
const COMMAND_LINE = ["src/cli/program-name.ts", "src/cli/terminal.ts", "src/cli/main.ts"];

/** Bundles src/main.ts of the tree `root`, with `define` filled in. Throws where esbuild finds something wrong. */
export async function bundleChunks(
  root: string,
  define: Readonly<Record<string, string>>,
): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, "src/main.ts")],
    outdir: join(root, "dist"),
    entryNames: "[name]",
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    absWorkingDir: root,
    platform: "node",
    format: "esm",
    target: "node26",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    define: { ...define },
  });
  const packages = new Set(
    Object.entries(metafile.outputs)
      .filter(([, { entryPoint }]) => metafile.inputs[entryPoint ?? ""]?.format === "cjs")
      .map(([path]) => basename(path)),
  );
  const chunks = await Promise.all(
    outputFiles.map(async ({ path, text }) => {
      const name = basename(path);
      return { name, source: await asFunction(text, packages.has(name)) };
    }),
  );
  return { chunks, commandLine: commandLineOf(metafile) };
}

function commandLineOf({ outputs }: Metafile): string[] {
  const withImports = (path: string, known: Set<string>): Set<string> => {
    if (known.has(path)) return known;
    known.add(path);
    for (const { kind, path: imported } of outputs[path]?.imports ?? []) {
      if (kind === "import-statement" && outputs[imported]) withImports(imported, known);
    }
    return known;
  };
  const entries = new Map(Object.entries(outputs).map(([path, each]) => [each.entryPoint, path]));
  const pathOf = (entry: string): string => {
    const path = entries.get(entry);
    if (path === undefined) throw new Error(`no chunk begins with ${entry}`);
    return path;
  };
  const before = withImports(pathOf("src/main.ts"), new Set());
  const found = new Set<string>();
  for (const entry of COMMAND_LINE) withImports(pathOf(entry), found);
  return [...found].filter((path) => !before.has(path)).map((path) => basename(path));
}

/** `isPackage`: the chunk is what an import() of a CommonJS package asks for. esbuild exports such a one as `default` alone, and whoever asked wants its names. */
async function asFunction(text: string, isPackage: boolean): Promise<string> {
  const { code } = await transform(text, {
    format: "cjs",
    platform: "node",
    target: "node26",
    minifyWhitespace: true,
    minifySyntax: true,
    // import() becomes require() a moment later.
    supported: { "dynamic-import": false },
    // Where a file of the sources lies is asked only when they run unbuilt.
    logOverride: { "empty-import-meta": "silent" },
  });
  const source = `(function(exports,require,module,__filename,__dirname){${code}${isPackage ? "module.exports=module.exports.default;" : ""}\n})`;
  // The loader reads bytes as characters.
  const strange = /[^\0-\x7f]/.exec(source);
  if (strange !== null) throw new Error(`not ASCII in a chunk: ${strange[0]}`);
  return source;
}
