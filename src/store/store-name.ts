/** The name of a cluster's configuration: as Proxmox has it. Pure. */
import { HansaError } from "../errors.ts";

const NAME = /^[A-Za-z0-9]([A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/;

/** Throws USAGE for what is no name. */
export function requireStoreName(name: string): void {
  if (NAME.test(name)) return;
  throw new HansaError(
    "USAGE",
    `"${name}" is no name: 1 to 15 letters, digits and hyphens, with a letter or digit at both ends`,
  );
}

/** What a name for other purposes becomes here: other signs are left out; `hansa` where nothing is left. */
export function storeNameFrom(text: string): string {
  const kept = text.replaceAll(/[^A-Za-z0-9-]/g, "").slice(0, 15);
  const name = kept.replaceAll(/^-+|-+$/g, "");
  return name === "" ? "hansa" : name;
}
