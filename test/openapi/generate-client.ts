/**
 * A client made from an OpenAPI document by a public generator (oazapfts), with a program that uses it (client-program.txt), held against the compiler.
 *
 * It lies in this folder, because it needs the repository's packages, and no longer than the test.
 */
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const GENERATOR = join(ROOT, "node_modules/oazapfts/dist/cli.js");
const COMPILER = join(ROOT, "node_modules/typescript/bin/tsc");
/** Strict, as users have it; what only this repository demands of its own code is left out. */
const STRICT = [
  ...[
    "--ignoreConfig",
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--target",
    "es2024",
    "--module",
    "nodenext",
  ],
  ...["--allowImportingTsExtensions", "--types", "node", "--erasableSyntaxOnly"],
];

export interface GeneratedClient extends AsyncDisposable {
  /** Run it with node: `program.ts URL FILE`, where FILE holds certificate, privateKey and ca as JSON. It prints what it was answered. */
  readonly program: string;
}

/** Throws with the words of generator or compiler where either is not content. */
export async function generateClient(document: object): Promise<GeneratedClient> {
  const folder = await mkdtemp(join(import.meta.dirname, ".made-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true });
  try {
    const program = join(folder, "program.ts");
    await writeFile(join(folder, "openapi.json"), JSON.stringify(document));
    await cp(join(import.meta.dirname, "client-program.txt"), program);
    run(GENERATOR, [join(folder, "openapi.json"), join(folder, "client.ts")]);
    run(COMPILER, [...STRICT, program]);
    return { program, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function run(script: string, words: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...words], {
    encoding: "utf8",
    timeout: 120_000,
    cwd: ROOT,
  });
  if (status !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
}
