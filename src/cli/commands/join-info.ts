/** `hansa join-info`: what a host is told that is to join, in one word to be copied. */
import type { JoinInfo } from "../../api/join-info-schemas.ts";
import { HansaError } from "../../errors.ts";
import type { Command } from "../command.ts";
import { usage } from "../parse-words.ts";

const MAX_TEXT = 65_536;

export const joinInfo: Command = {
  name: "join-info",
  summary: "print where and by which certificate hosts join the cluster",
  details: `One word: JSON in base64, with the address and the fingerprint of the node that is asked, its links and the cluster's. It holds no secret.
--decode prints the JSON itself, of INFO where that is given.`,
  operands: { name: "INFO", min: 0, max: 1 },
  options: [{ name: "decode", summary: "print it as JSON" }],
  asksNode: true,
  examples: ["join-info", "join-info --decode"],
  async run({ operands: [given], flags }, context) {
    if (given !== undefined && !flags.has("decode"))
      throw usage(joinInfo, "INFO goes with --decode");
    const document =
      given === undefined ? documentOf(await context.client.joinInfo()) : decode(given);
    const text = flags.has("decode")
      ? JSON.stringify(document, null, 2)
      : Buffer.from(JSON.stringify(document)).toString("base64");
    context.out(`${text}\n`);
    return 0;
  },
};

/** In the shape that Proxmox' administrators know. Pure. */
export function documentOf(info: JoinInfo): object {
  const asked = info.nodes.find(({ id }) => id === info.nodeId);
  const links = asked?.links ?? [];
  return {
    ipAddress: asked?.address ?? "",
    fingerprint: info.fingerprint,
    peerLinks: Object.fromEntries(links.map(({ number, address }) => [`${number}`, address])),
    ring_addr: links.map(({ address }) => address),
    totem: {
      cluster_name: info.name,
      config_version: `${info.configVersion ?? ""}`,
      version: "2",
      secauth: "on",
      link_mode: "passive",
      interface: Object.fromEntries(
        links.map(({ number }) => [`${number}`, { linknumber: `${number}` }]),
      ),
    },
  };
}

function decode(text: string): object {
  try {
    if (text.length <= MAX_TEXT && /^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
      const value: unknown = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
      if (typeof value === "object" && value !== null && "fingerprint" in value) return value;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new HansaError("USAGE", "this does not seem like a valid encoded cluster information", {
    hint: "copy the whole line that hansa join-info prints",
  });
}
