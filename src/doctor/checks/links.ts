/** Links that no probe passes, where a pair of nodes has several: the pair goes on by another, and nobody would notice until that fails too. */
import { finding } from "../finding.ts";
import { peersCheck } from "./check.ts";

export const links = peersCheck("links to the peers", (node) =>
  node.links.length === 0
    ? { skipped: "there are no peers" }
    : node.links
        .filter(({ state }) => state === "down")
        .map(({ link, own, address, peer }) => {
          const ends = [
            { id: node.id, text: `${node.name} (${own})` },
            { id: peer.id, text: `${peer.name} (${address})` },
          ];
          // Both ends tell of it in the same words.
          const [a, b] = ends.sort((x, y) => x.id - y.id).map(({ text }) => text);
          return finding("DOCTOR_LINK_DOWN", `link ${link} between ${a} and ${b} is down`);
        }),
);
