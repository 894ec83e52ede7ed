/**
 * The tour: builds, brings up four real Docker hosts on this machine, makes a cluster of them by create and three adds, starts a
 * container on each, shows every one reaching every other, and says how to go on. Run again, it only does what is missing.
 */
import { spawnSync } from "node:child_process";
import { globSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOT, runSteps } from "./steps.ts";

const HOSTS = [1, 2, 3, 4];
const HANSA = join(ROOT, "dist/hansa");
const CLUSTER = "demo";

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Runs `hansa playground …` and returns its standard output; ends the tour with the command's own words when it fails. */
function playground(...args: string[]): string {
  return fed("", ...args);
}

/** The same with this on its standard input. */
function fed(input: string, ...args: string[]): string {
  const result = spawnSync(HANSA, ["playground", ...args], { encoding: "utf8", input });
  if (result.status !== 0) {
    process.stderr.write(`hansa playground ${args.join(" ")}\n${result.stdout}${result.stderr}`);
    process.exit(1);
  }
  return result.stdout;
}

function isBuilt(): boolean {
  const built = statSync(HANSA, { throwIfNoEntry: false });
  if (!built) return false;
  const sources = [
    ...globSync("src/**/*.ts", { cwd: ROOT }),
    "package-lock.json",
    "scripts/build.ts",
    ...globSync("scripts/executable/*.ts", { cwd: ROOT }),
  ];
  return sources.every((file) => statSync(join(ROOT, file)).mtimeMs < built.mtimeMs);
}

/** True when the playground stands and runs the executable that was just built. */
function isUp(): boolean {
  const list = spawnSync(HANSA, ["playground", "list"], { encoding: "utf8" });
  if (list.status !== 0 || !HOSTS.every((host) => list.stdout.includes(`host${host}`)))
    return false;
  const version = spawnSync(HANSA, ["playground", "x", "1", "hansa", "version"], {
    encoding: "utf8",
  });
  const ours = spawnSync(HANSA, ["version"], { encoding: "utf8" });
  return version.status === 0 && version.stdout === ours.stdout;
}

await runSteps([
  { title: "system packages", argv: ["sh", "scripts/setup-host.sh"] },
  ...(isBuilt() ? [] : [{ title: "build dist/hansa", argv: ["node", "scripts/build.ts"] }]),
]);

if (isUp()) {
  say("four hosts are up");
} else {
  say("bringing up four Docker hosts");
  playground("up", "4");
}

/** True when the host was made a node by an earlier tour. */
function isNode(host: number): boolean {
  const file = "test -e /var/lib/hansa/node.json && echo node || echo none";
  return playground("x", `${host}`, "sh", "-c", file).trim() === "node";
}

if (!isNode(1)) {
  say(`host1 > hansa create ${CLUSTER}`);
  playground("x", "1", "hansa", "create", CLUSTER);
}
const token = playground("x", "1", "hansa", "token", "show");
for (const host of HOSTS.slice(1)) {
  if (isNode(host)) continue;
  say(`host${host} > hansa add host1`);
  const steps = fed(token, "x", `${host}`, "hansa", "add", "host1");
  say(`  ${steps.trim().split("\n").at(-1)}`);
}
for (const host of HOSTS) playground("x", `${host}`, "hansa", "prime");

for (const host of HOSTS) {
  const running = playground("d", `${host}`, "ps", "-q", "-f", `name=^web${host}$`).trim() !== "";
  if (running) continue;
  playground("d", `${host}`, "rm", "-f", `web${host}`);
  const serve = `echo "hello from web${host} on host${host}" > index.html && exec httpd -f`;
  say(`host${host} > docker run -d --name web${host} --network hansa busybox sh -c '${serve}'`);
  playground(
    ...["d", `${host}`, "run", "-d", "--name", `web${host}`, "--network", "hansa"],
    ...["busybox", "sh", "-c", serve],
  );
}

const addresses = HOSTS.map((host) => {
  const format = "{{.NetworkSettings.Networks.hansa.IPAddress}}";
  return playground("d", `${host}`, "inspect", "-f", format, `web${host}`).trim();
});
for (const from of HOSTS) {
  const answers = HOSTS.filter((to) => to !== from).map((to) => {
    const url = `http://${addresses[to - 1]}/`;
    return playground("d", `${from}`, "exec", `web${from}`, "wget", "-qO-", "-T", "5", url).trim();
  });
  say(`web${from} (${addresses[from - 1]}) hears: ${answers.join(", ")}`);
}

for (const line of [["status"], ["status", "--quorum"]]) {
  say(`\nhost1 > hansa ${line.join(" ")}`);
  spawnSync(HANSA, ["playground", "x", "1", "hansa", ...line], { stdio: "inherit" });
}
say(`
Go on with, for example:
  dist/hansa playground x 2 hansa status --connections    a command on host2
  dist/hansa playground d 3 run --rm -it --network hansa busybox sh
  dist/hansa playground part 1,2 3,4                      split the cluster; heal it with: heal
  dist/hansa playground kill 4                            a power cut; back with: boot 4
  dist/hansa playground down                              remove it all
On your own machines: README.md, "On your own hosts".`);
