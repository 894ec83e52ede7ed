/** The relay as a program of its own, for a playground that is run from sources. */
import { runRelay } from "./relay.ts";

await runRelay(process.argv[2] ?? "");
