import assert from "node:assert/strict";
import { test } from "node:test";
import { installPaths } from "./install-paths.ts";
import {
  changesHost,
  type InstallFacts,
  NOTHING_INSTALLED,
  packageCommands,
  planInstall,
  planUninstall,
  recorded,
} from "./install-plan.ts";

const paths = installPaths("");
const FRESH: InstallFacts = {
  paths,
  source: "/root/hansa",
  executable: "absent",
  links: {},
  completion: "absent",
  groupExists: false,
  hasStarter: false,
  missingFolders: ["/etc/hansa"],
  missingPackages: ["nftables", "wireguard-go"],
  canInstallPackages: true,
};

test("a fresh host gets packages, folder, executable, six links, group, starter and completion, in this order", () => {
  const steps = planInstall(FRESH);
  assert.deepEqual(
    steps.map(({ step }) => step),
    [
      ...["packages", "folder", "executable", "link", "link", "link", "link", "link", "link"],
      ...["group", "starter", "completion"],
    ],
  );
  assert.ok(changesHost(steps));
});

test("a host that is as it should be has nothing to do", () => {
  const links = Object.fromEntries(
    ["overnode", "kontena", "smr", "smrctl", "smrmgr", "pvecm"].map((name) => [name, "same"]),
  ) as InstallFacts["links"];
  const steps = planInstall({
    ...FRESH,
    links,
    executable: "same",
    completion: "same",
    groupExists: true,
    hasStarter: true,
    missingFolders: [],
    missingPackages: [],
  });
  assert.deepEqual(steps, []);
  assert.equal(changesHost(steps), false);
});

test("what is another program's is left alone, and said", () => {
  const steps = planInstall({ ...FRESH, links: { pvecm: "foreign" }, completion: "foreign" });
  const pvecm = steps.filter((each) => "path" in each && each.path.endsWith("/pvecm"));
  assert.deepEqual(pvecm, [
    { step: "leave", path: "/usr/local/bin/pvecm", why: "it is another program" },
  ]);
  assert.ok(!steps.some(({ step }) => step === "completion"));
});

test("packages that we may not install are named with the commands that do", () => {
  const steps = planInstall({ ...FRESH, canInstallPackages: false });
  assert.deepEqual(steps[0], {
    step: "packages",
    packages: ["nftables", "wireguard-go"],
    commands: packageCommands(["nftables", "wireguard-go"]),
    byUs: false,
  });
  assert.deepEqual(packageCommands(["nftables"]), ["apt-get install nftables"]);
  assert.match(packageCommands(["wireguard-go"]).join(), /-backports wireguard-go$/);
  assert.deepEqual(packageCommands(["etcd-server"]), [
    "systemctl mask etcd.service",
    "apt-get install etcd-server",
  ]);
});

test("uninstalling undoes the record in reverse, and what is no longer ours is left", () => {
  let record = NOTHING_INSTALLED;
  for (const step of planInstall(FRESH)) record = recorded(record, step);
  // Twice the same is one.
  for (const step of planInstall(FRESH)) record = recorded(record, step);
  const steps = planUninstall(record, paths, (path) => path !== "/usr/local/bin/smr");
  assert.deepEqual(
    steps.filter(({ step }) => step === "leave"),
    [{ step: "leave", path: "/usr/local/bin/smr", why: "it was changed or is gone" }],
  );
  const removed = steps.flatMap((each) => (each.step === "remove" ? [each.path] : []));
  assert.ok(removed.includes("/usr/local/bin/hansa"));
  assert.ok(removed.includes("/usr/local/bin/hansa.previous"));
  assert.ok(!removed.includes("/usr/local/bin/smr"));
  assert.deepEqual(steps.at(-1), { step: "remove-folder", path: "/etc/hansa" });
});

test("a group and folders that were there before stay", () => {
  let record = NOTHING_INSTALLED;
  for (const step of planInstall({ ...FRESH, groupExists: true, missingFolders: [] })) {
    record = recorded(record, step);
  }
  const kinds = planUninstall(record, paths, () => true).map(({ step }) => step);
  assert.ok(!kinds.includes("remove-group"));
  assert.ok(!kinds.includes("remove-folder"));
});
