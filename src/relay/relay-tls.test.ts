import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { relayTls } from "./relay-tls.ts";

test("no clock makes the certificates too old or too new", async () => {
  const { cert, ca } = await relayTls([new Uint8Array(32).fill(7)]);
  for (const pem of [cert, ca].flat() as string[]) {
    const { validFromDate, validToDate } = new X509Certificate(pem);
    assert.equal(validFromDate.getTime(), 0);
    assert.equal(validToDate.getUTCFullYear(), 9999);
  }
});
