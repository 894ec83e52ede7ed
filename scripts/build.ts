/**
 * Builds dist/hansa: esbuild bundles src/main.ts into chunks, V8 compiles each ahead, and Node packs chunks, code and runtime into one executable.
 *
 * Why in this shape: docs/decisions/0009-start-up.md.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { bundleChunks, FIRST_CHUNK } from "./executable/bundle-chunks.ts";
import { codeCache } from "./executable/code-cache.ts";
import { packChunks } from "./executable/pack-chunks.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
/** What goes into the executable, kept for who wants to look at it. */
const parts = join(dist, "parts");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const revision = spawnSync("git", ["rev-parse", "--short=12", "HEAD"], {
  cwd: root,
  encoding: "utf8",
});

rmSync(parts, { recursive: true, force: true });
mkdirSync(parts, { recursive: true });

const bundle = await bundleChunks(root, {
  HANSA_VERSION: JSON.stringify(manifest.version),
  HANSA_REVISION: JSON.stringify(revision.stdout?.trim() || "unknown"),
});
for (const { name, source } of bundle.chunks) written(name, source);
const pack = packChunks(bundle, codeCache);

const main = join(parts, "load-chunks.cjs");
await build({
  entryPoints: [join(import.meta.dirname, "executable/load-chunks.ts")],
  outfile: main,
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node26",
  minifyWhitespace: true,
  minifySyntax: true,
  define: {
    FIRST_CHUNK: JSON.stringify(FIRST_CHUNK),
    CHUNK_PLACES: JSON.stringify(JSON.stringify(pack.places)),
  },
});

const output = join(dist, "hansa.new");
const config = written(
  "sea.json",
  JSON.stringify({
    main,
    mainFormat: "commonjs",
    output,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    useSnapshot: false,
    assets: {
      chunks: written("chunks", pack.bytes),
      "install-wireguard-go.sh": join(root, "scripts/install-wireguard-go.sh"),
    },
    execArgv: ["--disable-warning=ExperimentalWarning"],
  }),
);
const packed = spawnSync(process.execPath, ["--build-sea", config], {
  encoding: "utf8",
  cwd: dist,
});
if (packed.status !== 0) {
  process.stderr.write(packed.stdout + packed.stderr);
  process.exit(1);
}
const tell = join(import.meta.dirname, "executable/tell-refused-code.cjs");
const tried = spawnSync(output, ["version"], {
  encoding: "utf8",
  env: { ...process.env, NODE_OPTIONS: `--require=${JSON.stringify(tell)}` },
});
// It would run all the same, and take twice as long to start without a word.
if (!/^chunks [1-9]\d*, refused 0$/m.test(tried.stderr)) {
  process.stderr.write(`the code made ahead is not taken: ${tried.stderr}\n`);
  process.exit(1);
}
// Renamed into place, so that a running hansa keeps its own file and a broken build leaves the last one.
renameSync(output, join(dist, "hansa"));
process.stderr.write("built dist/hansa\n");

function written(name: string, content: string | Buffer): string {
  const path = join(parts, name);
  writeFileSync(path, content);
  return path;
}
