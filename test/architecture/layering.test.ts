/**
 * Arrows between folders point down only, and cores stay pure. A new folder must be given its place here.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { test } from "node:test";

const SRC = join(import.meta.dirname, "../../src");

/** What each folder may import, besides itself, `values` and `errors.ts`. */
const ALLOWED: Readonly<Record<string, readonly string[] | "everything">> = {
  "main.ts": ["cli", "daemon", "install", "overlay", "plugin", "processes", "starter", "witness"],
  daemon: "everything",
  cli: [
    "client",
    "streams",
    "contexts",
    "api",
    "doctor",
    "report",
    "install",
    "processes",
    "identity",
    "playground",
    "starter",
    "joining",
    "store",
    "witness",
    "host",
  ],
  // The other composer, of parts of the daemon's.
  witness: ["daemon", "api", "processes", "identity", "store", "host"],
  doctor: ["processes", "docker", "api", "ipam", "host"],
  report: ["processes", "identity", "api", "host"],
  install: ["host", "processes", "starter", "api"],
  joining: ["starter", "processes", "identity", "client", "store", "docker", "api", "host"],
  starter: ["processes", "identity", "client", "store", "host"],
  playground: ["host", "docker"],
  processes: ["host", "identity", "docker", "ipam", "overlay"],
  api: ["host", "streams"],
  client: ["api", "contexts", "streams"],
  contexts: ["host"],
  plugin: ["ipam", "host"],
  gossip: ["membership", "host"],
  names: ["membership"],
  certificates: ["membership"],
  relay: ["identity", "host"],
  overlay: ["host", "ipam"],
  store: ["host", "identity"],
  identity: ["host"],
  links: [],
  docker: ["host"],
  streams: [],
  host: [],
  membership: [],
  ipam: [],
  values: [],
  "errors.ts": [],
};

/**
 * What each folder of the daemon may import of the others. The files beside the folders compose them: they may import everything,
 * and nothing imports them.
 */
const ALLOWED_IN_DAEMON: Readonly<Record<string, readonly string[]>> = {
  store: ["votes", "doors", "membership", "host-facts", "timing"],
  joining: ["votes", "doors", "membership"],
  votes: ["doors", "membership"],
  containers: ["doors", "names", "timing"],
  status: ["data-path", "docker", "membership", "host-facts"],
  "data-path": ["membership", "host-facts", "timing"],
  docker: ["addresses", "timing"],
  addresses: ["membership", "timing"],
  names: ["membership"],
  doors: ["membership"],
  membership: ["host-facts", "timing"],
  "host-facts": [],
  timing: [],
};

/** Folders whose every file is pure; `node:crypto` is allowed for its deterministic functions. */
const PURE = ["membership", "ipam", "links", "certificates", "values"];

/** Pure files in folders that also hold adapters. */
const PURE_FILES = [
  "relay/blake2s.ts",
  "relay/handshake-initiation.ts",
  "relay/relay-frame.ts",
  "relay/relay-paths.ts",
  "contexts/context.ts",
  "report/host-questions.ts",
  "report/redact.ts",
  "report/tar-archive.ts",
  "api/places.ts",
  "api/token-buckets.ts",
  "contexts/sealed-context.ts",
  "starter/admission.ts",
  "joining/join-problems.ts",
  "joining/join-word.ts",
  "starter/start-request.ts",
  "docker/output-frames.ts",
  "streams/stream-frame.ts",
  "streams/log-message.ts",
  "streams/tar-header.ts",
  "client/log-position.ts",
  "store/check-transaction.ts",
  "store/entry-bytes.ts",
  "store/mirror-entries.ts",
  "store/mirror-journal.ts",
  "store/store-copy.ts",
  "store/voter-plan.ts",
  "store/witness-record.ts",
  "witness/witness-protocol.ts",
  "store/store-name.ts",
  "store/node-registry.ts",
  "store/etcd/etcd-config.ts",
  "store/etcd/etcd-error.ts",
];

const IMPURE =
  /from "node:(?!crypto|zlib|util|assert|buffer)|import\("node:|Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout|setInterval|process\.|randomBytes|randomUUID|randomInt|getRandomValues/;

const sources = globSync("**/*.ts", { cwd: SRC });

function folderOf(path: string): string {
  return path.includes("/") ? (path.split("/")[0] ?? path) : path;
}

/** The files that a file imports, relative to `folder`. */
function importsOf(file: string, folder: string): string[] {
  const text = readFileSync(join(SRC, file), "utf8");
  return [...text.matchAll(/(?:from|import\()\s*"(\.{1,2}\/[^"]+)"/g)].map(([, specifier = ""]) =>
    relative(folder, normalize(join(SRC, dirname(file), specifier))),
  );
}

test("imports between folders point down only", () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const from = folderOf(file);
    const allowed = ALLOWED[from];
    assert.ok(allowed, `src/${from} has no place in the layering test`);
    if (allowed === "everything") continue;
    for (const to of importsOf(file, SRC)) {
      const folder = folderOf(to);
      if ([from, "values", "errors.ts", ".."].includes(folder)) continue;
      if (!allowed.includes(folder)) wrong.push(`${file} -> ${to}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("so do those inside the daemon, whose composers nothing imports", () => {
  const wrong: string[] = [];
  for (const file of sources.filter((path) => folderOf(path) === "daemon")) {
    const inside = file.slice("daemon/".length);
    const from = folderOf(inside);
    if (from === inside) continue;
    const allowed = ALLOWED_IN_DAEMON[from];
    assert.ok(allowed, `src/daemon/${from} has no place in the layering test`);
    // A test may look from below at what is composed of its subject.
    if (file.endsWith(".test.ts")) continue;
    for (const to of importsOf(file, join(SRC, "daemon"))) {
      const folder = folderOf(to);
      if (folder === from || folder === ".." || allowed.includes(folder)) continue;
      wrong.push(`${file} -> ${to}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("pure cores have no effects, clock or randomness", () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const isPlan = PURE.includes(folderOf(file)) || PURE_FILES.includes(file);
    if (!isPlan || file.endsWith(".test.ts")) continue;
    for (const [index, line] of readFileSync(join(SRC, file), "utf8").split("\n").entries()) {
      if (IMPURE.test(line)) wrong.push(`${file}:${index + 1} ${line.trim()}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("no folder of leftovers", () => {
  const drawers = sources.filter((file) =>
    /(^|\/)(utils?|helpers?|common|misc|manager|types)(\.|\/)/.test(file),
  );
  assert.deepEqual(drawers, []);
});
