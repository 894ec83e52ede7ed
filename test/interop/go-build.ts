/**
 * Builds a Go program of ours against Debian's packages of the reference implementation, without modules or network.
 *
 * The executable is named after a hash of its sources and of Go's version and kept in dist/go, so that a second call costs a few
 * milliseconds and two at once do no harm.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const OUT = join(ROOT, "dist/go");
/** Where Debian puts the sources of Go packages. */
const DEBIAN = "/usr/share/gocode";

export interface GoProgram {
  /** The import path of package main, such as "hansa/interop". */
  readonly package: string;
  /** Folders that have a `src`, from the repository's root, besides Debian's. */
  readonly roots: readonly string[];
}

/** The program that drives nodes of memberlist for the interop tests. */
export const INTEROP: GoProgram = { package: "hansa/interop", roots: ["test/interop/go"] };

/** The path of the built program. Throws with the compiler's words when it does not build. */
export async function buildGo(program: GoProgram): Promise<string> {
  const roots = program.roots.map((root) => join(ROOT, root));
  const name = program.package.replaceAll("/", "-");
  const path = join(OUT, `${name}-${hashOf(roots)}`);
  if (existsSync(path)) return path;
  mkdirSync(OUT, { recursive: true });
  const fresh = `${path}.${process.pid}`;
  await compile(program.package, roots, fresh);
  for (const old of readdirSync(OUT)) {
    const isOlder = old.startsWith(`${name}-`) && !old.includes(".") && join(OUT, old) !== path;
    if (isOlder) rmSync(join(OUT, old), { force: true });
  }
  renameSync(fresh, path);
  return path;
}

function hashOf(roots: readonly string[]): string {
  const hash = createHash("sha256");
  const version = "/usr/lib/go/VERSION";
  if (existsSync(version)) hash.update(readFileSync(version));
  for (const root of roots) {
    for (const file of globSync("**/*.go", { cwd: root }).sort()) {
      hash.update(`${file}\n`).update(readFileSync(join(root, file)));
    }
  }
  return hash.digest("hex").slice(0, 12);
}

async function compile(target: string, roots: readonly string[], path: string): Promise<void> {
  const env = {
    ...process.env,
    GO111MODULE: "off",
    GOFLAGS: "",
    GOPROXY: "off",
    GOPATH: [DEBIAN, ...roots].join(":"),
    GOCACHE: process.env["GOCACHE"] ?? join(tmpdir(), "hansa-go-cache"),
    CGO_ENABLED: "0",
  };
  const child = spawn("go", ["build", "-o", path, target], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error) =>
      reject(new Error(`${error.message}: scripts/setup-host.sh installs Go and memberlist`)),
    );
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`go build ${target} failed (${code}):\n${said}`);
}

if (import.meta.main) process.stderr.write(`built ${await buildGo(INTEROP)}\n`);
