/**
 * A program for the tests of names, run inside a host or outside of all: asks a name server, or is one.
 *
 *     node name-probe.ts ask SERVER udp|tcp NAME TYPE [UDPSIZE]   prints {rcode, truncated, authoritative, answers, …} as JSON
 *     node name-probe.ts turns SERVER NAME…                       asks for each in turn, all from one port; prints the first answers as JSON
 *     node name-probe.ts serve ADDRESS VALUE                      answers every name with VALUE, and prints each name asked for
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import {
  CLASS,
  type DnsMessage,
  decodeDnsMessage,
  encodeDnsMessage,
  TYPE,
} from "../../src/names/dns-message.ts";
import { encodeQuery } from "../../src/names/responder.ts";
import { formatIpv4, parseIpv4 } from "../../src/values/ipv4.ts";

const [mode = "", ...rest] = process.argv.slice(2);
if (mode === "serve") serve(rest[0] ?? "", parseIpv4(rest[1] ?? "") ?? 0);
else if (mode === "turns") console.log(JSON.stringify(await askInTurn(rest)));
else console.log(JSON.stringify(await ask(rest)));

async function ask([
  server = "",
  via = "udp",
  name = "",
  type = "A",
  size,
]: string[]): Promise<object> {
  const query = encodeQuery({
    id: 4711,
    name: name.split("."),
    type: TYPE[type as keyof typeof TYPE],
    ...(size === undefined ? {} : { udpSize: Number(size) }),
  });
  const bytes = via === "tcp" ? await overTcp(server, query) : await overUdp(server, query);
  const message = bytes && decodeDnsMessage(bytes);
  if (!message) return { rcode: -1 };
  return {
    rcode: message.rcode,
    truncated: message.isTruncated,
    authoritative: message.isAuthoritative,
    authority: message.authority.map((record) => record.type),
    ttls: [...new Set(message.answers.map(({ ttl }) => ttl))],
    answers: message.answers.map(({ data }) => {
      if (data.kind === "address") return formatIpv4(data.address);
      return data.kind === "name" ? data.name.join(".") : data.kind;
    }),
  };
}

/** The address of each, or the code that there was instead of one; -1 for silence, also when asked five times. */
async function askInTurn([server = "", ...names]: string[]): Promise<(string | number)[]> {
  const socket = createSocket("udp4");
  const found: (string | number)[] = [];
  for (const [id, name] of names.entries()) {
    let message: DnsMessage | undefined;
    for (let tries = 0; tries < 5 && message?.id !== id; tries++) {
      socket.send(encodeQuery({ id, name: name.split("."), type: TYPE.A }), 53, server);
      const timeout = AbortSignal.timeout(1_000);
      const reply = await once(socket, "message", { signal: timeout }).catch(() => []);
      message = reply[0] && decodeDnsMessage(reply[0]);
    }
    const data = message?.answers[0]?.data;
    found.push(data?.kind === "address" ? formatIpv4(data.address) : (message?.rcode ?? -1));
  }
  socket.close();
  return found;
}

/** Undefined when no answer comes within five seconds. */
async function overUdp(server: string, query: Uint8Array): Promise<Uint8Array | undefined> {
  const socket = createSocket("udp4");
  socket.send(query, 53, server);
  try {
    const [bytes] = await once(socket, "message", { signal: AbortSignal.timeout(5_000) });
    return bytes;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

async function overTcp(server: string, query: Uint8Array): Promise<Uint8Array | undefined> {
  const stream = connect({ host: server, port: 53, timeout: 5_000 });
  stream.on("timeout", () => stream.destroy());
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  stream.write(Buffer.concat([length, query]));
  let received = Buffer.alloc(0);
  try {
    for await (const chunk of stream) {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) break;
    }
    return received.length < 2 ? undefined : received.subarray(2);
  } catch {
    return undefined;
  }
}

function serve(at: string, address: number): void {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, from) => {
    const query = decodeDnsMessage(bytes);
    const question = query?.questions[0];
    if (!query || !question) return;
    console.log(`asked ${question.name.join(".")}`);
    const answer = { name: question.name, class: CLASS.IN, ttl: 60, type: TYPE.A };
    const reply: DnsMessage = {
      ...query,
      isResponse: true,
      additional: [],
      answers: question.type === TYPE.A ? [{ ...answer, data: { kind: "address", address } }] : [],
    };
    socket.send(encodeDnsMessage(reply), from.port, from.address);
  });
  socket.bind(53, at, () => console.log("serving"));
}
