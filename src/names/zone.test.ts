import assert from "node:assert/strict";
import { test } from "node:test";
import { cidrRange, parseCidr } from "../values/cidr.ts";
import { parseIpv4 } from "../values/ipv4.ts";
import { CLASS, RCODE, TYPE } from "./dns-message.ts";
import { reverseName, Zone, type ZoneAnswer, type ZoneName } from "./zone.ts";

const ip = (text: string): number => parseIpv4(text) ?? 0;
const SUBNET = cidrRange(parseCidr("10.32.0.0/12") ?? { base: 0, prefix: 0 });

const NAMES: readonly ZoneName[] = [
  { name: "web", address: ip("10.40.0.1"), isMain: true },
  { name: "web", address: ip("10.44.0.1"), isMain: true },
  { name: "alias", address: ip("10.44.0.1"), isMain: false },
  { name: "my.app_1-x", address: ip("10.40.0.2"), isMain: true },
  { name: "host1.node", address: ip("10.32.0.1"), isMain: true },
  { name: "1.node", address: ip("10.32.0.1"), isMain: false },
];
const zone = new Zone(NAMES, { id: 1, subnet: SUBNET, serial: 7 });

function ask(name: string, type: number = TYPE.A, kind: number = CLASS.IN): ZoneAnswer {
  return zone.answer({ name: name.split("."), type, class: kind });
}

const addresses = ({ answers }: ZoneAnswer): number[] =>
  answers.flatMap(({ data }) => (data.kind === "address" ? [data.address] : []));
const names = ({ answers }: ZoneAnswer): string[] =>
  answers.flatMap(({ data }) => (data.kind === "name" ? [data.name.join(".")] : []));

test("a name gives all addresses that have it, whatever the case of its letters, for one second", () => {
  for (const name of ["web.hansa", "WEB.Hansa"]) {
    const answer = ask(name);
    assert.deepEqual(addresses(answer), [ip("10.40.0.1"), ip("10.44.0.1")]);
    assert.deepEqual(
      answer.answers.map((each) => [each.ttl, each.name.join(".")]),
      [
        [1, name],
        [1, name],
      ],
    );
  }
  assert.deepEqual(addresses(ask("my.app_1-x.hansa")), [ip("10.40.0.2")]);
  assert.deepEqual(addresses(ask("host1.node.hansa")), [ip("10.32.0.1")]);
});

test("a name that is there without the type asked for gives nothing and the zone's authority", () => {
  for (const [name, type] of [
    ["web.hansa", TYPE.AAAA],
    ["web.hansa", TYPE.SOA],
    ["node.hansa", TYPE.A],
    ["app_1-x.hansa", TYPE.A],
    ["hansa", TYPE.A],
  ] as const) {
    const answer = ask(name, type);
    assert.equal(answer.answers.length, 0, name);
    assert.equal(answer.rcode, RCODE.NOERROR, name);
    assert.equal(answer.authority[0]?.type, TYPE.SOA);
  }
});

test("a name that is not there is said not to be, also below one that is", () => {
  for (const name of ["nobody.hansa", "a.web.hansa", "x.node.hansa", "a b.hansa"]) {
    const answer = ask(name);
    assert.equal(answer.rcode, RCODE.NXDOMAIN, name);
    assert.equal(answer.authority[0]?.ttl, 1);
  }
  // One label with a dot in it is not two.
  const one = zone.answer({ name: ["host1.node", "hansa"], type: TYPE.A, class: CLASS.IN });
  assert.equal(one.rcode, RCODE.NXDOMAIN);
});

test("the zone's own name has its authority and its server", () => {
  assert.deepEqual(names(ask("hansa", TYPE.NS)), ["1.node.hansa"]);
  const soa = ask("HANSA", TYPE.SOA).answers[0]?.data;
  assert.equal(soa?.kind === "soa" && soa.numbers[0], 7);
  assert.equal(ask("hansa", TYPE.ANY).answers.length, 2);
});

test("addresses of the subnet have names in reverse, others are not ours", () => {
  const back = (address: string): ZoneAnswer => ask(reverseName(ip(address)).join("."), TYPE.PTR);
  assert.deepEqual(names(back("10.44.0.1")), ["web.hansa"]);
  assert.deepEqual(names(back("10.32.0.1")), ["host1.node.hansa"]);
  assert.equal(back("10.40.9.9").rcode, RCODE.NXDOMAIN);
  assert.equal(back("192.168.1.1").rcode, RCODE.REFUSED);
  assert.equal(ask("10.in-addr.arpa", TYPE.PTR).rcode, RCODE.REFUSED);
  assert.equal(ask("1.0.44.010.in-addr.arpa", TYPE.PTR).rcode, RCODE.REFUSED);
});

test("questions about anything else are refused", () => {
  for (const name of ["example.com", "hansa.com", "nothansa", "com"]) {
    assert.equal(ask(name).rcode, RCODE.REFUSED, name);
  }
  assert.equal(zone.answer({ name: [], type: TYPE.NS, class: CLASS.IN }).rcode, RCODE.REFUSED);
  assert.equal(ask("web.hansa", TYPE.A, 3).rcode, RCODE.REFUSED);
});
