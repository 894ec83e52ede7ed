/** The captures of memberlist (src/membership/wire/corpus) as bytes, for tests that begin with what is real. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { removeCompression } from "../../src/membership/wire/compression.ts";
import { removeCrc } from "../../src/membership/wire/crc.ts";
import { MAX_STREAM_PLAIN } from "../../src/membership/wire/limits.ts";
import { type Envelope, makeEnvelope } from "../../src/membership/wire/packet.ts";
import { makeKeyring, open } from "../../src/membership/wire/security.ts";

export interface Capture {
  /** "sealed: packet of ping". */
  readonly name: string;
  readonly kind: "packet" | "stream";
  /** As sent. */
  readonly bytes: Buffer;
  /** Without encryption. */
  readonly plain: Buffer;
  /** Without checksum and compression as well. */
  readonly bare: Buffer;
  readonly envelope: Envelope;
}

const FOLDER = join(import.meta.dirname, "../../src/membership/wire/corpus");
const NOTHING = new Uint8Array(0);

export const CAPTURES: readonly Capture[] = globSync("*.json", { cwd: FOLDER })
  .sort()
  .flatMap(capturesOf);

function capturesOf(file: string): Capture[] {
  const { key, captures } = JSON.parse(readFileSync(join(FOLDER, file), "utf8"));
  const keyring = key === "" ? undefined : makeKeyring([Buffer.from(key, "hex")]);
  const envelope = makeEnvelope("", keyring);
  return captures.map(
    ({ name, kind, bytes: hex }: Record<"name" | "bytes", string> & Pick<Capture, "kind">) => {
      const bytes = Buffer.from(hex, "hex");
      const plain = Buffer.from(opened(bytes, kind, envelope));
      const unsummed = kind === "packet" ? removeCrc(plain) : plain;
      const bare = unsummed && removeCompression(unsummed, MAX_STREAM_PLAIN);
      if (bare === undefined) throw new Error(`${file}: ${name} is broken`);
      return {
        name: `${file.replace(".json", "")}: ${name}`,
        ...{ kind, bytes, plain, envelope },
        bare: Buffer.from(bare),
      };
    },
  );
}

function opened(bytes: Buffer, kind: Capture["kind"], { keyring }: Envelope): Uint8Array {
  if (keyring === undefined) return bytes;
  const plain =
    kind === "packet"
      ? open(keyring, bytes, NOTHING)
      : open(keyring, bytes.subarray(5), bytes.subarray(0, 5));
  if (plain === undefined) throw new Error("a capture that does not open");
  return plain;
}
