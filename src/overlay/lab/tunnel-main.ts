/** What the command `hansa tunnel` does, for lab hosts. */
import { runTunnel } from "../tunnel-process.ts";

await runTunnel("hansa-wg");
