/**
 * Builds dist/hansa: esbuild bundles src/main.ts, and Node packs bundle and runtime into one executable.
 *
 * The banner gives the ESM bundle the `require` and `__dirname` that bundled CommonJS packages expect. The code cache
 * is what keeps start-up near 50 ms, with heavy parts imported only when needed.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { lazyBuiltins } from "./lazy-builtins.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const revision = spawnSync("git", ["rev-parse", "--short=12", "HEAD"], {
  cwd: root,
  encoding: "utf8",
});

mkdirSync(dist, { recursive: true });
await build({
  entryPoints: [join(root, "src/main.ts")],
  outfile: join(dist, "hansa.mjs"),
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node26",
  minify: true,
  keepNames: true,
  legalComments: "none",
  plugins: [lazyBuiltins],
  define: {
    HANSA_VERSION: JSON.stringify(manifest.version),
    HANSA_REVISION: JSON.stringify(revision.stdout?.trim() || "unknown"),
  },
  banner: {
    js: "import{createRequire as __c}from'node:module';import{dirname as __d}from'node:path';const require=__c(import.meta.url),__filename=process.execPath,__dirname=__d(process.execPath);",
  },
});

const config = join(dist, "sea.json");
writeFileSync(
  config,
  JSON.stringify({
    main: join(dist, "hansa.mjs"),
    mainFormat: "module",
    output: join(dist, "hansa.new"),
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    useSnapshot: false,
    assets: { "install-wireguard-go.sh": join(root, "scripts/install-wireguard-go.sh") },
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
// Renamed into place, so that a running hansa keeps its own file and a broken build leaves the last one.
spawnSync("mv", ["-f", join(dist, "hansa.new"), join(dist, "hansa")]);
rmSync(config);
process.stderr.write("built dist/hansa\n");
