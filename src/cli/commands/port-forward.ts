/** `hansa port-forward`: ports of this machine that lead into a container. */
import type { Command } from "../command.ts";
import { usage } from "../parse-words.ts";

export const portForward: Command = {
  name: "port-forward",
  summary: "lead ports of this machine into a container, on whichever node it is",
  details: `Listens on this machine and hands each TCP connection to that port of the container, through the node that is
asked and the container's own. Without an ADDRESS it listens on 127.0.0.1; LOCAL 0 takes a free port, and PORT alone
means the same one on both sides. Goes on until Ctrl-C, also when the container or its node is away for a while: then
connections are closed.`,
  operands: { name: "CONTAINER [ADDRESS:]LOCAL:PORT…", min: 2, max: 64 },
  options: [],
  examples: [
    "port-forward web 8080:80",
    "port-forward host2/db 5432",
    "port-forward web 0.0.0.0:8080:80",
  ],
  async run({ operands }, context) {
    const [container = "", ...ports] = operands;
    const { parseForward, runPortForward } = await import("../run-port-forward.ts");
    const forwards = ports.map((text) => {
      const forward = parseForward(text);
      if (forward === undefined)
        throw usage(portForward, `expected [ADDRESS:]LOCAL:PORT, not ${text}`);
      return forward;
    });
    return runPortForward(context, container, forwards);
  },
};
