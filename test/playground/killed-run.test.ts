/** A run that was killed leaves hosts behind; the next one of that name removes them, but never those of a living one. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, test } from "node:test";
import { isHansaError } from "../../src/errors.ts";
import { Playground } from "../../src/playground/playground.ts";
import { remainsOf } from "./remains.ts";

const NAME = "hpgtk";
const OWNER = join(import.meta.dirname, "owner.ts");

after(() => Playground.remove(NAME));

/** Starts a program that owns a playground, and resolves when it prints `word`. */
async function owner(word: string): Promise<ReturnType<typeof spawn>> {
  const child = spawn(process.execPath, [OWNER, NAME], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (text.includes(word)) resolve();
    });
    child.on("exit", (code) => reject(new Error(`the owner ended with ${code}: ${text}`)));
  });
  child.removeAllListeners("exit");
  return child;
}

async function killed(child: ReturnType<typeof spawn>): Promise<void> {
  const end = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await end;
}

test("up after kill -9 of its owner starts clean, and never takes a living owner's hosts", async () => {
  const first = await owner("ready");
  await assert.rejects(Playground.up({ name: NAME, hosts: 1 }), (error) =>
    isHansaError(error, "PLAYGROUND_BUSY"),
  );
  await killed(first);
  assert.notDeepEqual(remainsOf(NAME), []);
  await using playground = await Playground.up({ name: NAME, hosts: 1 });
  assert.equal(playground.size, 1);
  const { stdout } = await playground.host(1).docker(["ps", "-aq"]);
  assert.equal(stdout, "");
  const spaces = spawnSync("ip", ["netns"], { encoding: "utf8" }).stdout;
  assert.doesNotMatch(spaces, new RegExp(`${NAME}-host2`));
});

test("up after kill -9 in the middle of up starts clean", async () => {
  await killed(await owner("starting"));
  await using playground = await Playground.up({ name: NAME, hosts: 1 });
  assert.equal((await playground.host(1).exec(["hostname"])).stdout, "host1\n");
  await playground.down();
  assert.deepEqual(remainsOf(NAME), []);
});

test("up without root is refused", () => {
  const script = `
    import { Playground } from ${JSON.stringify(join(import.meta.dirname, "../../src/playground/playground.ts"))};
    try { await Playground.up({ name: "${NAME}", hosts: 1 }); } catch (error) { console.log(error.code); }`;
  const node = [process.execPath, "--input-type=module", "-e", script];
  const answer = spawnSync("setpriv", ["--reuid=65534", "--clear-groups", ...node], {
    encoding: "utf8",
  });
  assert.equal(answer.stdout, "ROOT_REQUIRED\n", answer.stderr);
});

test("setup-host.sh installs nothing when nothing is missing", () => {
  const script = join(import.meta.dirname, "../../scripts/setup-host.sh");
  const { status, stdout, stderr } = spawnSync("sh", [script], { encoding: "utf8" });
  assert.deepEqual([status, stdout], [0, ""], stderr);
  assert.doesNotMatch(stderr, /installing/);
});
