import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { parseArguments } from "./arguments.ts";

const understood: readonly (readonly [string, object])[] = [
  ["up 4", { kind: "up", hosts: 4, links: 1 }],
  ["up --links 2 3 --binary=/x", { kind: "up", hosts: 3, links: 2, binary: "/x" }],
  ["x 1 ls -l --name y", { kind: "exec", host: 1, argv: ["ls", "-l", "--name", "y"] }],
  [
    "d 2 run --rm -it busybox",
    { kind: "docker", host: 2, args: ["run", "--rm", "-it", "busybox"] },
  ],
  ["cut 3", { kind: "cut", host: 3 }],
  ["mend 3 1", { kind: "mend", host: 3, link: 1 }],
  [
    "part 1,2,5 3,4",
    {
      kind: "part",
      groups: [
        [1, 2, 5],
        [3, 4],
      ],
    },
  ],
  ["heal", { kind: "heal" }],
  ["oneway 1 2", { kind: "oneway", from: 1, to: 2 }],
  [
    "oneway 1 2 udp 6784",
    { kind: "oneway", from: 1, to: 2, only: { protocol: "udp", port: 6784 } },
  ],
  ["block 1 2 udp 6784", { kind: "block", a: 1, b: 2, protocol: "udp", port: 6784 }],
  ["kill 4", { kind: "kill", host: 4 }],
  ["boot 4", { kind: "boot", host: 4 }],
  ["delay 1 2 50 --loss 2.5%", { kind: "delay", a: 1, b: 2, ms: 50, loss: 2.5 }],
  ["delay 1 2 0", { kind: "delay", a: 1, b: 2, ms: 0, loss: 0 }],
  ["list -o json", { kind: "list", output: "json" }],
  ["down", { kind: "down" }],
  ["", { kind: "help" }],
  ["up --help", { kind: "help" }],
  ["x 1 ls --help", { kind: "exec", host: 1, argv: ["ls", "--help"] }],
];

for (const [line, action] of understood) {
  test(`parseArguments understands "${line}"`, () => {
    const words = line === "" ? [] : line.split(" ");
    assert.deepEqual(parseArguments(words), { name: "hpg", action });
  });
}

test("parseArguments takes --name before and after the command", () => {
  const named = { name: "two", action: { kind: "exec", host: 1, argv: ["id"] } };
  assert.deepEqual(parseArguments(["--name", "two", "x", "1", "id"]), named);
  assert.deepEqual(parseArguments(["x", "--name=two", "1", "id"]), named);
  assert.deepEqual(parseArguments(["x", "--name", "two", "1", "id"]), named);
  assert.equal(parseArguments(["down", "--name", "two"]).name, "two");
});

const refused = [
  "fly",
  "up",
  "up four",
  "up 4 5",
  "up 4 --lonks 2",
  "up 4 --links",
  "x 1",
  "x",
  "d",
  "cut 1 2 3",
  "part 1,2",
  "part 1,2 2,3",
  "part 1, 2",
  "oneway 1",
  "oneway 1 2 6784",
  "block 1 2 icmp 3",
  "block 1 2 udp 0",
  "delay 1 2",
  "delay 1 2 5 --loss 101",
  "delay 1 2 5 --loss x",
  "list -o xml",
  "down now",
  "--name",
];

for (const line of refused) {
  test(`parseArguments refuses "${line}" with one sentence`, () => {
    assert.throws(
      () => parseArguments(line.split(" ")),
      (error) => isHansaError(error, "USAGE") && !error.message.includes("\n"),
    );
  });
}
