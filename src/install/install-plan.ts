/**
 * What installing and uninstalling do on a host, as data. Pure.
 *
 * Invariants: a host that is as it should be has an empty plan; a file that is not ours is never written over, linked over or removed;
 * uninstalling undoes exactly what the record says that installing made.
 */
import { GROUP, type InstallPaths, LINK_NAMES } from "./install-paths.ts";

/** What lies at a path: nothing, what we would put there, an older one of ours, or somebody else's. */
export type Found = "absent" | "same" | "older" | "foreign";

export interface InstallFacts {
  readonly paths: InstallPaths;
  /** The executable to be installed. */
  readonly source: string;
  readonly executable: Found;
  /** Name of a link → what lies there. */
  readonly links: Readonly<Record<string, Found>>;
  /** Undefined where this program cannot print one. */
  readonly completion: Found | undefined;
  readonly groupExists: boolean;
  /** The starter serves its socket, or systemd does for it. */
  readonly hasStarter: boolean;
  /** Folders that must be made first, outermost first. */
  readonly missingFolders: readonly string[];
  /** Debian packages whose programs are missing. */
  readonly missingPackages: readonly string[];
  /** apt-get is there and we are root. */
  readonly canInstallPackages: boolean;
}

export type InstallStep =
  | {
      readonly step: "packages";
      readonly packages: readonly string[];
      /** The commands for somebody who does it by hand. */
      readonly commands: readonly string[];
      /** False: only named, because this host has no apt-get or we are not root. */
      readonly byUs: boolean;
    }
  | { readonly step: "folder"; readonly path: string }
  | { readonly step: "executable"; readonly path: string; readonly from: string }
  | { readonly step: "link"; readonly path: string; readonly to: string }
  | { readonly step: "group"; readonly name: string }
  | { readonly step: "starter"; readonly path: string }
  | { readonly step: "completion"; readonly path: string }
  | { readonly step: "leave"; readonly path: string; readonly why: string };

/** The steps that bring the host from `facts` to installed, in order. Empty when nothing is to be done. */
export function planInstall(facts: InstallFacts): InstallStep[] {
  const { paths } = facts;
  const steps: InstallStep[] = [];
  if (facts.missingPackages.length > 0) {
    steps.push({
      step: "packages",
      packages: facts.missingPackages,
      commands: packageCommands(facts.missingPackages),
      byUs: facts.canInstallPackages,
    });
  }
  for (const path of facts.missingFolders) steps.push({ step: "folder", path });
  if (facts.executable !== "same") {
    steps.push({ step: "executable", path: paths.executable, from: facts.source });
  }
  for (const name of LINK_NAMES) {
    const path = `${paths.binDir}/${name}`;
    const found = facts.links[name] ?? "absent";
    if (found === "absent") steps.push({ step: "link", path, to: "hansa" });
    if (found === "foreign") steps.push({ step: "leave", path, why: "it is another program" });
  }
  if (!facts.groupExists) steps.push({ step: "group", name: GROUP });
  if (!facts.hasStarter) steps.push({ step: "starter", path: paths.starterSocket });
  if (facts.completion === "absent" || facts.completion === "older") {
    steps.push({ step: "completion", path: paths.completion });
  }
  return steps;
}

/** True when a plan changes the host. */
export function changesHost(steps: readonly InstallStep[]): boolean {
  return steps.some((each) => each.step !== "leave" && !(each.step === "packages" && !each.byUs));
}

/** How a person installs these packages. wireguard-go of the backports is four times as fast as that of Debian 12 itself. */
export function packageCommands(packages: readonly string[]): string[] {
  const plain = packages.filter((name) => name !== "wireguard-go");
  // Debian's own service would be started by its package, and take the port of the store's.
  const commands = packages.includes("etcd-server") ? ["systemctl mask etcd.service"] : [];
  if (plain.length > 0) commands.push(`apt-get install ${plain.join(" ")}`);
  if (plain.length < packages.length) {
    commands.push(
      "apt-get install -t $(. /etc/os-release; echo $VERSION_CODENAME)-backports wireguard-go",
    );
  }
  return commands;
}

/** What installing made on this host, in the order of making. */
export interface InstallRecord {
  readonly version: 1;
  readonly folders: readonly string[];
  readonly files: readonly string[];
  readonly links: readonly string[];
  readonly group: boolean;
  /** Absent in records of builds that had none. */
  readonly starter?: boolean;
  readonly packages: readonly string[];
}

export const NOTHING_INSTALLED: InstallRecord = {
  version: 1,
  folders: [],
  files: [],
  links: [],
  group: false,
  packages: [],
};

/** The record after one more step was carried out. */
export function recorded(record: InstallRecord, step: InstallStep): InstallRecord {
  const add = (list: readonly string[], ...more: readonly string[]): string[] => [
    ...new Set([...list, ...more]),
  ];
  switch (step.step) {
    case "packages":
      return step.byUs ? { ...record, packages: add(record.packages, ...step.packages) } : record;
    case "folder":
      return { ...record, folders: add(record.folders, step.path) };
    case "executable":
    case "completion":
      return { ...record, files: add(record.files, step.path) };
    case "link":
      return { ...record, links: add(record.links, step.path) };
    case "group":
      return { ...record, group: true };
    case "starter":
      return { ...record, starter: true };
    case "leave":
      return record;
  }
}

export type UninstallStep =
  | { readonly step: "remove"; readonly path: string }
  | { readonly step: "remove-starter"; readonly path: string }
  | { readonly step: "remove-group"; readonly name: string }
  | { readonly step: "remove-folder"; readonly path: string }
  | { readonly step: "leave"; readonly path: string; readonly why: string };

/** The steps that undo `record`; `isOurs` says whether a path still holds what installing (or an upgrade) put there. */
export function planUninstall(
  record: InstallRecord,
  paths: InstallPaths,
  isOurs: (path: string) => boolean,
): UninstallStep[] {
  const made = [...record.links, ...record.files];
  if (record.files.includes(paths.executable)) made.push(paths.previous);
  const steps: UninstallStep[] = made
    .filter((path) => path === paths.previous || isOurs(path))
    .map((path) => ({ step: "remove", path }));
  for (const path of made) {
    if (path !== paths.previous && !isOurs(path)) {
      steps.push({ step: "leave", path, why: "it was changed or is gone" });
    }
  }
  if (record.starter === true) {
    steps.unshift({ step: "remove-starter", path: paths.starterSocket });
  }
  if (record.group) steps.push({ step: "remove-group", name: GROUP });
  steps.push({ step: "remove", path: paths.record });
  for (const path of record.folders.toReversed()) steps.push({ step: "remove-folder", path });
  return steps;
}
