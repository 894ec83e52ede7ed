/**
 * The image `busybox` of every host: Debian's static busybox with a link for each of its applets. Nothing comes from the network.
 *
 * Invariant: the tar in the cache is whole (renamed into place) and named for the busybox it holds.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CACHE_DIR } from "./layout.ts";
import { must } from "./network.ts";

const BUSYBOX = "/bin/busybox";

/** Raised when what is put around busybox changes, so that the tar is made anew. */
const RECIPE = 3;

/**
 * In place of the applet: Debian 12's static busybox 1.35 dies of a segmentation fault at `wget -T`, which the image `busybox` that
 * everybody knows does not. The limit is put around the whole download instead.
 */
const WGET = `#!/bin/busybox sh
limit=
left=$#
while [ "$left" -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case $word in
    -T | --timeout)
      limit=$1
      shift
      left=$((left - 1))
      ;;
    -T?*) limit=\${word#-T} ;;
    --timeout=*) limit=\${word#--timeout=} ;;
    *) set -- "$@" "$word" ;;
  esac
done
[ -n "$limit" ] || exec /bin/busybox wgeu "$@"
/bin/busybox timeout "$limit" /bin/busybox wgeu "$@"
status=$?
[ "$status" = 143 ] || exit "$status"
echo "wget: download timed out" >&2
exit 1
`;

/** The path of the image's tar, made when this busybox has none yet. Safe to call from several processes at once. */
export async function busyboxTar(): Promise<string> {
  const version = createHash("sha256")
    .update(await readFile(BUSYBOX))
    .digest("hex")
    .slice(0, 12);
  const tar = join(CACHE_DIR, `busybox-${version}-${RECIPE}.tar`);
  if (existsSync(tar)) return tar;
  await mkdir(CACHE_DIR, { recursive: true });
  const work = await mkdtemp(join(CACHE_DIR, "making-"));
  try {
    const root = join(work, "root");
    await fill(root);
    const made = join(work, "image.tar");
    await must(["tar", "-C", root, "--numeric-owner", "--owner=0", "--group=0", "-cf", made, "."]);
    await rename(made, tar);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return tar;
}

async function fill(root: string): Promise<void> {
  const folders = ["bin", "dev", "etc", "home", "proc", "root", "sbin", "sys", "tmp", "var/www"];
  for (const folder of [...folders, "usr/bin", "usr/sbin"]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  const busybox = await readFile(BUSYBOX);
  const isRenamed = renameApplet(busybox);
  await writeFile(join(root, "bin/busybox"), busybox, { mode: 0o755 });
  const applets = await must([BUSYBOX, "--list-full"]);
  for (const path of applets.split("\n")) {
    if (path === "" || path === "bin/busybox" || path === "linuxrc") continue;
    await mkdir(join(root, path, ".."), { recursive: true });
    await symlink("/bin/busybox", join(root, path));
  }
  if (isRenamed) {
    await rm(join(root, "usr/bin/wget"));
    await writeFile(join(root, "usr/bin/wget"), WGET, { mode: 0o755 });
  }
  await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  await writeFile(join(root, "etc/group"), "root:x:0:\n");
}

/**
 * Renames the applet wget to wgeu in busybox's own table, which stays sorted by it; false when the table does not look as expected.
 *
 * Without this, busybox's shell runs its own applet for the word wget and never looks for a program of that name.
 */
function renameApplet(busybox: Buffer): boolean {
  const name = Buffer.from("\0wget\0which\0");
  const at = busybox.indexOf(name);
  if (at < 0 || busybox.indexOf(name, at + 1) >= 0) return false;
  busybox.write("wgeu", at + 1, "latin1");
  return true;
}
