/** A program that makes a playground of two hosts and holds it until it is killed. */
import { Playground } from "../../src/playground/playground.ts";

const name = process.argv[2] ?? "";
await using _ = await Playground.up({
  name,
  hosts: 2,
  log: () => process.stdout.write("starting\n"),
});
process.stdout.write("ready\n");
setInterval(() => {}, 1_000);
await new Promise(() => {});
