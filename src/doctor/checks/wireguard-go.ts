/** Where the kernel has no WireGuard: a wireguard-go that is fast enough. */
import { finding } from "../finding.ts";
import { hostCheck } from "./check.ts";

/** The first whose measured throughput is that of newer ones; later releases say the same number of themselves. */
const FAST_SINCE = 20230223;

export const wireguardGo = hostCheck(
  "wireguard-go is fast",
  ({ wireguardGo, kernelHasWireguard, isEncrypted }) => {
    if (!isEncrypted) return { skipped: "the cluster is not encrypted" };
    if (kernelHasWireguard) return { skipped: "the kernel has WireGuard" };
    if (wireguardGo === undefined) return { skipped: "there is no wireguard-go" };
    const version = wireguardGoVersion(wireguardGo);
    if (version === undefined) return { skipped: "wireguard-go does not tell its version" };
    if (Number(version.split(".")[2]) >= FAST_SINCE) return [];
    const evidence = `wireguard-go is of version ${version}, which is before 0.0.${FAST_SINCE}`;
    return [finding("DOCTOR_WIREGUARD_GO_OLD", evidence)];
  },
);

/** "0.0.20220316" out of what `wireguard-go --version` prints. */
export function wireguardGoVersion(printed: string): string | undefined {
  return /^wireguard-go v?(0\.0\.\d{8})\b/m.exec(printed)?.[1];
}
