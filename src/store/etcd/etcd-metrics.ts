/** What one voter's etcd tells of itself at its clients' port, in Prometheus' text format. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { EtcdPlace } from "./etcd-channel.ts";

/** It is about 150 KiB. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Throws the system's or TLS's error, and where it does not answer in time or with something else. */
export async function etcdMetrics(
  { host, port, tls }: EtcdPlace,
  withinMs: number,
): Promise<string> {
  const { key, cert, ca } = tls;
  const made = request({
    ...{ host, port, path: "/metrics", agent: false, signal: AbortSignal.timeout(withinMs) },
    ...{ key, cert, ca: [...ca], minVersion: "TLSv1.2" },
  });
  try {
    made.end();
    const [response] = (await once(made, "response")) as [IncomingMessage];
    if (response.statusCode !== 200) throw new Error(`etcd answered ${response.statusCode}`);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BYTES) throw new Error("etcd's metrics are too long");
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    made.destroy();
  }
}
