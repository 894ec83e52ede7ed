/**
 * Makes src/store/etcd/etcd_pb.js and its types from etcd.proto. Needs protoc (Debian: protobuf-compiler); only who changes etcd.proto
 * runs it, and commits what it makes.
 *
 * JavaScript and types apart: the generator's TypeScript has enums, which Node does not run.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const folder = join(root, "src/store/etcd");
const generator = join(root, "node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es");
const made = spawnSync(
  "protoc",
  [
    `--plugin=protoc-gen-es=${generator}`,
    `--proto_path=${folder}`,
    `--es_out=${folder}`,
    "--es_opt=target=js+dts",
    "etcd.proto",
  ],
  { stdio: ["ignore", "inherit", "inherit"] },
);
if (made.error) {
  process.stderr.write("protoc cannot be run\nhint: apt-get install protobuf-compiler\n");
}
process.exit(made.status ?? 1);
