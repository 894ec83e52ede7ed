/** `hansa token show`: the cluster's token where Hansa made it, for launching more nodes with it. */
import { HansaError } from "../../errors.ts";
import type { Command } from "../command.ts";
import { usage } from "../parse-words.ts";
import { requireRoot } from "../require-root.ts";

export const token: Command = {
  name: "token",
  summary: "show the cluster's token, where hansa create or start made it",
  details: `Who has it can launch nodes of the cluster: pass it by --token-file. A token that a person chose is kept nowhere.`,
  operands: { name: "show", min: 1, max: 1, completes: ["show"] },
  onThisHost: true,
  options: [],
  examples: ["token show"],
  async run({ operands: [what] }, context) {
    if (what !== "show") throw usage(token, "expected argument(s): show");
    requireRoot(context, "token show");
    const { hansaPaths } = await import("../../processes/paths.ts");
    const { loadIdentity } = await import("../../identity/identity-file.ts");
    const identity = await loadIdentity(hansaPaths().stateDir);
    if (identity === undefined) {
      throw new HansaError("NODE_NOT_LAUNCHED", "this host is no node");
    }
    if (identity.token === undefined) {
      const text =
        "this cluster was launched with a token that somebody chose, which no node keeps";
      throw new HansaError("TOKEN_NOT_KEPT", text);
    }
    context.out(`${identity.token}\n`);
    return 0;
  },
};
