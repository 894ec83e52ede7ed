/** What a node needs of its host: privileges, programs, kernel, free ports. */
import { HansaError } from "../../errors.ts";
import { finding, findingOf } from "../finding.ts";
import { hostCheck } from "./check.ts";

export const privileges = hostCheck("privileges", ({ isRoot }) =>
  isRoot ? [] : [finding("DOCTOR_NOT_ROOT", "this program does not run as root")],
);

export const programs = hostCheck("programs are installed", ({ missingTools }) =>
  missingTools === undefined ? [] : [findingOf(missingTools)],
);

export const tunnelDevice = hostCheck("the kernel can make tunnels", (host) =>
  host.kernelHasWireguard || host.hasTun || !host.isEncrypted
    ? []
    : [
        finding(
          "DOCTOR_TUN_MISSING",
          "the kernel has no WireGuard, and /dev/net/tun does not exist",
        ),
      ],
);

export const nftables = hostCheck("nftables works", ({ nftComplaint }) => {
  if (nftComplaint === undefined) return { skipped: "that needs root, and the program nft" };
  if (nftComplaint === null) return [];
  return [finding("DOCTOR_NFTABLES_UNUSABLE", `nft list tables says: ${nftComplaint}`)];
});

export const freePorts = hostCheck("ports are free", ({ takenPorts, isRoot }) => {
  if (takenPorts === undefined) return { skipped: "the node that runs here holds them" };
  // Without root a node that runs here is not seen, and it may be who holds them.
  if (!isRoot) return { skipped: "that needs root" };
  return takenPorts.map(({ sentence }) => findingOf(new HansaError("PORT_TAKEN", sentence)));
});

export const storePorts = hostCheck("the store's ports are free", ({ storeStrangers }) => {
  if (storeStrangers === undefined) return { skipped: "that needs root" };
  return storeStrangers.map(({ host, port, by }) =>
    finding("DOCTOR_STORE_PORT_TAKEN", `port ${port}/tcp on ${host} is held by ${by}`),
  );
});
