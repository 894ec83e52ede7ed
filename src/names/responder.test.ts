import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type DnsMessage, decodeDnsMessage, RCODE, TYPE } from "./dns-message.ts";
import { encodeQuery, type QueryVia, respond } from "./responder.ts";
import { Zone } from "./zone.ts";

const many = Array.from({ length: 200 }, (_, index) => ({
  name: index < 3 ? "web" : "many",
  address: 0x0a280000 + index,
  isMain: true,
}));
const zone = new Zone(many, {
  id: 1,
  subnet: { start: 0x0a200000, end: 0x0a300000 },
  serial: 1,
});

function ask(
  query: Uint8Array,
  via: QueryVia = "udp",
  random: () => number = () => 0,
): { bytes: Uint8Array; message: DnsMessage } {
  const bytes = respond(query, { zone, via, random });
  assert.ok(bytes);
  const message = decodeDnsMessage(bytes);
  assert.ok(message);
  return { bytes, message };
}

const query = (name: string, udpSize?: number): Uint8Array =>
  encodeQuery({
    id: 77,
    name: name.split("."),
    type: TYPE.A,
    ...(udpSize === undefined ? {} : { udpSize }),
  });

test("an answer repeats id, question in its own case, and the wish for recursion, and is authoritative", () => {
  const { message } = ask(query("wEb.hansa"));
  assert.equal(message.id, 77);
  assert.ok(message.isResponse && message.isAuthoritative && message.recursionDesired);
  assert.ok(!message.recursionAvailable && !message.isTruncated);
  assert.deepEqual(message.questions[0]?.name, ["wEb", "hansa"]);
  assert.equal(message.answers.length, 3);
  assert.equal(message.additional.length, 0);
});

test("the order of addresses is random", () => {
  const first = new Set<number>();
  for (const value of [0, 0.4, 0.9]) {
    const data = ask(query("web.hansa"), "udp", () => value).message.answers[0]?.data;
    if (data?.kind === "address") first.add(data.address);
  }
  assert.ok(first.size > 1);
});

test("what does not fit is cut and said to be, up to 512 bytes or what EDNS allows, and whole by TCP", () => {
  const plain = ask(query("many.hansa"));
  assert.ok(plain.message.isTruncated && plain.bytes.length <= 512);
  assert.ok(plain.message.answers.length >= 25);
  const extended = ask(query("many.hansa", 4096));
  assert.ok(extended.message.isTruncated && extended.bytes.length <= 1232);
  assert.ok(extended.message.answers.length >= 70);
  assert.equal(extended.message.additional[0]?.type, TYPE.OPT);
  const small = ask(query("many.hansa", 10));
  assert.ok(small.bytes.length > 400 && small.bytes.length <= 512);
  const stream = ask(query("many.hansa"), "tcp");
  assert.ok(!stream.message.isTruncated);
  assert.equal(stream.message.answers.length, 197);
});

test("who was diverted to us gets a part as if it were all, for TCP would reach another server", () => {
  const { bytes, message } = ask(query("many.hansa"), "diverted");
  assert.ok(!message.isTruncated && bytes.length <= 512 && message.answers.length >= 25);
});

test("a later version of EDNS, another operation, and two questions are answered with the right code", () => {
  const versioned = query("web.hansa", 1232);
  versioned[versioned.length - 5] = 1;
  const bad = ask(versioned).message;
  assert.equal(bad.rcode + ((bad.additional[0]?.ttl ?? 0) >>> 24) * 16, RCODE.BADVERS);
  const update = query("web.hansa");
  update[2] = 5 << 3;
  assert.equal(ask(update).message.rcode, RCODE.NOTIMP);
  assert.equal(ask(update).message.opcode, 5);
  const none = query("web.hansa").subarray(0, 12);
  assert.equal(ask(none).message.rcode, RCODE.FORMERR);
});

test("responses and crumbs are not answered; all else is, without a throw, by a response of its id", () => {
  const response = query("web.hansa");
  response[2] = 0x80;
  assert.equal(respond(response, { zone, via: "udp", random: () => 0 }), undefined);
  assert.equal(respond(new Uint8Array(11), { zone, via: "udp", random: () => 0 }), undefined);
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }).map((changes) => {
      const bytes = query("many.hansa", 1232);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    }),
  );
  fc.assert(
    fc.property(hostile, fc.constantFrom<QueryVia>("udp", "tcp", "diverted"), (bytes, via) => {
      const answer = respond(bytes, { zone, via, random: () => 0.5 });
      if (!answer) return;
      const message = decodeDnsMessage(answer);
      assert.ok(message?.isResponse);
      assert.equal(message.id, (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0));
      if (via !== "tcp") assert.ok(answer.length <= 1232);
    }),
    { numRuns: 500 },
  );
});
