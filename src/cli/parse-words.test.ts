import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HansaError } from "../errors.ts";
import { plainLinks } from "../values/node-link.ts";
import { closestWord } from "./closest-word.ts";
import type { CommandSpec } from "./command.ts";
import { exec } from "./commands/exec.ts";
import { launch, launchRequest } from "./commands/launch.ts";
import { checkOperands, parseWords, splitCommandLine } from "./parse-words.ts";
import { programName } from "./program-name.ts";

const SPEC: CommandSpec = {
  name: "thing",
  summary: "",
  options: [
    { name: "id", value: "N", summary: "" },
    { name: "output", short: "o", value: "F", summary: "" },
    { name: "replace", summary: "" },
  ],
  operands: { name: "HOST", min: 1, max: 2 },
  examples: [],
};

const parse = (...rest: string[]) => {
  const { flags, values, operands, globals } = parseWords(SPEC, rest);
  return [[...flags], Object.fromEntries(values), operands, [...globals.keys()]];
};

test("options and operands may mix, values may stand apart or behind an equals sign", () => {
  assert.deepEqual(parse("a", "--id", "7", "--replace", "b"), [
    ["replace"],
    { id: "7" },
    ["a", "b"],
    [],
  ]);
  assert.deepEqual(parse("--id=7", "-o", "json"), [[], { id: "7", output: "json" }, [], []]);
  assert.deepEqual(parse("--id", "-1", "--output=", "-"), [
    [],
    { id: "-1", output: "" },
    ["-"],
    [],
  ]);
});

test("global flags are taken from anywhere, but not from behind two dashes", () => {
  assert.deepEqual(parse("--debug", "a", "--no-color"), [[], {}, ["a"], ["debug", "no-color"]]);
  assert.deepEqual(parse("--", "--debug", "--id"), [[], {}, ["--debug", "--id"], []]);
  assert.deepEqual(splitCommandLine(["--debug", "status", "--ipam"]), {
    globals: new Map([["debug", ""]]),
    command: "status",
    rest: ["--ipam"],
  });
});

for (const [words, sentence, hint] of [
  [["--fast"], "unknown option: --fast", "see hansa thing --help"],
  [["--replce"], "unknown option: --replce", "did you mean --replace? See hansa thing --help"],
  [["--fast=7"], "unknown option: --fast", "see hansa thing --help"],
  [["-x"], "unknown option: -x", "see hansa thing --help"],
  [["--id"], "the option --id needs a value: N", "see hansa thing --help"],
  [["--id", "--replace"], "the option --id needs a value: N", "see hansa thing --help"],
  [["--id", "1", "--id=2"], "the option --id is given twice", "see hansa thing --help"],
  [["--replace=yes"], "the option --replace takes no value", "see hansa thing --help"],
  [[], "expected argument(s): HOST", "see hansa thing --help"],
  [["a", "b", "c"], "unexpected argument: c", "see hansa thing --help"],
] as const) {
  test(`refuses "${words.join(" ")}" in one sentence`, () => {
    assert.throws(() => checkOperands(SPEC, parseWords(SPEC, words)), {
      code: "USAGE",
      message: sentence,
      hint,
    });
  });
}

test("no words make the parser throw anything but a HansaError", () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom("--", "--id", "--id=", "-o", "--replace", "--debug", "-", "--token", "1"),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (words) => {
      try {
        splitCommandLine(words);
        launchRequest(parseWords(launch, words));
      } catch (error) {
        assert.ok(error instanceof HansaError, String(error));
        assert.equal(error.code, "USAGE");
      }
    }),
    { numRuns: 2000 },
  );
});

test("launch reads everything that it documents", () => {
  const words = parseWords(
    launch,
    "--id 7 --token x --cluster c --subnet 10.0.0.0/8 --name n --link0 192.0.2.1 --link1 2001:db8::1 --gossip-port 7000 --no-encryption host1 [::1]:99".split(
      " ",
    ),
  );
  assert.deepEqual(launchRequest(words), {
    id: 7,
    cluster: "c",
    subnet: "10.0.0.0/8",
    name: "n",
    domain: undefined,
    links: plainLinks(["192.0.2.1", "2001:db8::1"]),
    ports: { gossip: 7000 },
    encryption: "none",
    targets: ["host1", "[::1]:99"],
  });
});

test("flags stand together behind one dash, options come several times, and a command's own words are left alone", () => {
  const words = parseWords(exec, ["-it", "-e", "A=1", "--env=B=2", "web", "ls", "-it", "--help"]);
  assert.deepEqual([...words.flags], ["interactive", "tty"]);
  assert.deepEqual(words.lists.get("env"), ["A=1", "B=2"]);
  assert.deepEqual(words.operands, ["web", "ls", "-it", "--help"]);
  assert.equal(words.globals.size, 0);
  assert.throws(() => parseWords(exec, ["-iq", "web"]), /unknown option: -iq/);
  assert.throws(() => parseWords(exec, ["-ie", "A=1", "web"]), /unknown option: -ie/);
});

test("the nearest word is found, and none for what is far from all", () => {
  const known = ["launch", "connect", "status", "prime"];
  for (const [typed, near] of [
    ["lunch", "launch"],
    ["stauts", "status"],
    ["conect", "connect"],
    ["primer", "prime"],
    ["", undefined],
    ["x", undefined],
    ["zzzzzz", undefined],
  ] as const) {
    assert.equal(closestWord(typed, known), near, typed);
  }
});

test("the program is named by what it was called by", () => {
  assert.equal(programName("/usr/bin/overnode", "/usr/local/bin/hansa"), "overnode");
  assert.equal(programName("overnode"), "overnode");
  assert.equal(programName("/usr/bin/node", "/usr/local/bin/overnode"), "overnode");
  for (const name of ["smr", "smrctl", "smrmgr", "pvecm"]) {
    assert.equal(programName(`/usr/local/bin/${name}`, "/usr/local/bin/hansa"), name);
  }
  assert.equal(programName("renamed", undefined), "hansa");
});
