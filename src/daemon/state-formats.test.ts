/** The list of formats that an upgrade goes by, held against what is written. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../host/clock.ts";
import { silentLogger } from "../host/logger.ts";
import { createIdentity } from "../identity/identity.ts";
import { saveIdentity } from "../identity/identity-file.ts";
import { formatsOnDisk, STATE_FORMATS, tooOldFor } from "../install/state-formats.ts";
import { LeaseJournal } from "../plugin/lease-journal.ts";
import { saveNodeFile } from "../processes/node-file.ts";
import { CertificateBook } from "./membership/certificate-book.ts";
import { NO_MEMBERSHIP, saveMembershipFile } from "./membership/membership-file.ts";

test("what this build writes is of the formats that it says it knows", async () => {
  const dir = await mkdtemp(join(tmpdir(), "hansa-formats-"));
  try {
    assert.deepEqual(formatsOnDisk(dir), {});
    await saveIdentity(dir, await createIdentity({ token: "t", cluster: "hansa" }));
    await saveNodeFile(join(dir, "node.json"), {
      ...{ version: 1, id: 1, name: "n", cluster: "hansa", subnet: "10.32.0.0/12", targets: [] },
      ...{ links: [{ number: 1, address: "192.0.2.1", priority: 1 }] },
      ...{ ports: { gossip: 6783, overlay: 6784, api: 1443 }, encryption: "wireguard" },
    });
    const book = await CertificateBook.load({
      ...{ path: join(dir, "certificates.json"), self: 1, clock: systemClock },
      ...{ logger: silentLogger, tell: () => undefined, revoked: () => undefined },
    });
    book.revoke({ name: "ada" }, "local");
    await mkdir(join(dir, "ipam"));
    new LeaseJournal(join(dir, "ipam"), { logger: silentLogger }).close();
    saveMembershipFile(join(dir, "membership.json"), NO_MEMBERSHIP);
    const onDisk = formatsOnDisk(dir);
    const written = [
      "certificates.json",
      "identity.json",
      "ipam/leases.log",
      "membership.json",
      "node.json",
    ];
    assert.deepEqual(Object.keys(onDisk).sort(), written);
    for (const file of written) assert.equal(onDisk[file], STATE_FORMATS[file], file);
    assert.equal(tooOldFor(onDisk, STATE_FORMATS), undefined);
    await writeFile(join(dir, "ring.json"), '{"version":2}');
    const words = "ring.json is written in format 2, and that build knows formats up to 1";
    assert.equal(tooOldFor(formatsOnDisk(dir), STATE_FORMATS), words);
    assert.equal(tooOldFor(formatsOnDisk(dir), { "node.json": 2 }), words);
    assert.equal(tooOldFor(formatsOnDisk(dir), { "node.json": 2, "ring.json": 2 }), undefined);
  } finally {
    await rm(dir, { recursive: true });
  }
});
