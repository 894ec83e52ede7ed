import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import type { CommandSpec } from "../command.ts";
import { allCommands } from "../command-table.ts";
import { runFake } from "../fake-terminal.ts";
import { bashCompletion } from "./bash-completion.ts";
import { fishCompletion } from "./fish-completion.ts";
import { zshCompletion } from "./zsh-completion.ts";

/** One of each kind of word. */
const SMALL: readonly CommandSpec[] = [
  {
    name: "look",
    summary: "look at it: it's there",
    operands: { name: "WHERE", min: 0, max: 9, completes: "targets" },
    options: [
      { name: "output", short: "o", value: "FORMAT", summary: "how", completes: ["table", "json"] },
      { name: "from", value: "FILE", summary: "a file [any]", completes: "files" },
      { name: "all", summary: "everything" },
      { name: "id", value: "N", summary: "a number" },
    ],
    examples: [],
  },
  { name: "wait", summary: "wait", options: [], examples: [] },
];

function golden(name: string, text: string): void {
  const path = join(import.meta.dirname, "golden", `${name}.golden`);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  assert.equal(text, readFileSync(path, "utf8"));
}

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "hansa-completion-"));
  // Stands for the program when the script asks what the daemon knows.
  const program = '#!/bin/sh\n[ "$1" = completion ] && printf "host1\\nhost2\\nother:7000\\n"\n';
  writeFileSync(join(folder, "hansa"), program, { mode: 0o755 });
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What bash offers when tab is pressed at the end of `line`, cut into words as bash does. */
function offered(specs: readonly CommandSpec[], line: string): string[] {
  const words = line.split(/\s+/).flatMap((word) => word.split(/(?<=[=:])|(?=[=:])/));
  const script = `${bashCompletion(specs)}
COMP_LINE=$1 COMP_POINT=\${#1}; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_hansa
printf '%s\\n' "\${COMPREPLY[@]}"`;
  // With input from a socket bash takes itself for a remote shell's and would read the user's own settings.
  const ran = spawnSync("bash", ["--norc", "--noprofile", "-euc", script, "bash", line, ...words], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
  });
  assert.equal(ran.status, 0, ran.stderr);
  assert.equal(ran.stderr, "");
  return ran.stdout.split("\n").filter(Boolean);
}

test("bash offers commands, options, values, and what the daemon knows", () => {
  for (const [line, expected] of [
    ["hansa ", ["look", "wait"]],
    ["hansa l", ["look"]],
    ["hansa --debug w", ["wait"]],
    ["hansa x", []],
    ["hansa --d", ["--debug"]],
    ["hansa look --a", ["--all"]],
    ["hansa --context office loo", ["look"]],
    [
      "hansa look --",
      [
        ...["--output", "--from", "--all", "--id"],
        ...["--debug", "--no-color", "--help", "--context", "--node"],
      ],
    ],
    ["hansa look --node h", ["host1", "host2"]],
    ["hansa --node host", ["host1", "host2"]],
    ["hansa look -o ", ["table", "json"]],
    ["hansa look -o j", ["json"]],
    ["hansa look --output t", ["table"]],
    ["hansa look --output=", ["table", "json"]],
    ["hansa look --output=j", ["json"]],
    ["hansa look --id ", []],
    ["hansa look --id 5 host", ["host1", "host2"]],
    ["hansa look ", ["host1", "host2", "other:7000"]],
    ["hansa look other:", ["7000"]],
    ["hansa look other:7", ["7000"]],
    ["hansa wait ", []],
    ["hansa wait --h", ["--help"]],
  ] as const) {
    assert.deepEqual(offered(SMALL, line), [...expected], line);
  }
});

test("bash offers every command and option of the real table", async () => {
  const all = await allCommands();
  assert.deepEqual(
    offered(all, "hansa "),
    all.map(({ name }) => name),
  );
  for (const { name, options, raw } of all) {
    const found = offered(all, `hansa ${name} --`);
    for (const option of raw ? [] : options) assert.ok(found.includes(`--${option.name}`), name);
  }
  assert.deepEqual(offered(all, "hansa completion z"), ["zsh"]);
  assert.deepEqual(offered(all, "hansa status -o "), ["table", "json", "yaml"]);
});

test("the scripts for bash, zsh and fish are as they were", () => {
  golden("bash", bashCompletion(SMALL));
  golden("zsh", zshCompletion(SMALL));
  golden("fish", fishCompletion(SMALL));
});

for (const [shell, argv] of [
  ["bash", ["-n"]],
  ["zsh", ["-n"]],
  ["fish", ["--no-execute"]],
] as const) {
  test(`${shell}, where it is installed, finds no fault in its script`, async () => {
    const { stdout, exit } = await runFake(["completion", shell]);
    assert.equal(exit, 0);
    const path = join(folder, `script.${shell}`);
    writeFileSync(path, stdout);
    const ran = spawnSync(shell, [...argv, path], { encoding: "utf8" });
    if (ran.error === undefined) assert.equal(ran.status, 0, ran.stderr);
    else assert.notEqual(shell, "bash");
  });
}

test("another shell is refused with the ones that there are", async () => {
  const { exit, stderr } = await runFake(["completion", "tcsh"]);
  assert.equal(exit, 1);
  assert.match(stderr, /SHELL, required: bash, zsh, fish, received: tcsh/);
});
