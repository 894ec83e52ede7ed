/** Two networks under a cluster without encryption: its device has no address of its own, and its firewall lets in all addresses of a peer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, fullMesh, hosts, must, served, TOKEN } from "./cluster.ts";
import { endlessPage, goesOn } from "./goes-on.ts";

const BACK_WITHIN_MS = 45_000;

test("without encryption containers' traffic leaves a dead network as well, and comes back", async () => {
  await using playground = await hosts("e2etwov", 2, 2);
  const [first, second] = [playground.host(1), playground.host(2)];
  for (const host of [first, second]) {
    const links = [0, 1].flatMap((link) => [`--link${link}`, host.ip(link)]);
    const words = ["--no-encryption", "--id", `${host.number}`, "--token", TOKEN, ...links];
    await must(host, "hansa", "launch", ...words, first.ip(0));
  }
  const bothUse = (link: number, deadlineMs: number) =>
    eventually(`both use link ${link}`, deadlineMs, async () => {
      for (const host of [first, second]) {
        const text = await must(host, "hansa", "status", "--links");
        if (!new RegExp(`^link${link} .* in use$`, "m").test(text)) throw new Error(text);
      }
      return true;
    });
  await fullMesh([first, second], 30_000);
  for (const host of [first, second]) await must(host, "hansa", "prime");
  const [from, to] = [await served(first, "from"), await served(second, "to")];
  await endlessPage(to);
  await bothUse(0, BACK_WITHIN_MS);
  await goesOn("network 0 cut, by VXLAN", from, to, async () => {
    for (const id of [1, 2]) await playground.cut(id, 0);
    await bothUse(1, 10_000);
  });
  await goesOn("network 0 mended, by VXLAN", from, to, async () => {
    for (const id of [1, 2]) await playground.mend(id, 0);
    await bothUse(0, BACK_WITHIN_MS);
  });
  const device = await must(first, "ip", "-d", "link", "show", "dev", "hansa-vx");
  assert.doesNotMatch(device, /\blocal\b/);
});
