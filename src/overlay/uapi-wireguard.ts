/**
 * wireguard-go's configuration protocol (wireguard.com/xplatform): lines of key=value over a unix socket.
 *
 * Keys are hex there and base64 everywhere else of ours. Answers are bounded and read line by line; unknown keys are passed over, as
 * the protocol asks.
 */
import { connect } from "node:net";
import { HansaError, isErrno } from "../errors.ts";
import type { WireguardDevice } from "./wireguard-device.ts";
import type { DeviceChange, DevicePeer, DeviceState } from "./wireguard-plan.ts";

const TIMEOUT_MS = 5000;
const MAX_ANSWER = 64 * 1024 * 1024;

export class UapiWireguard implements WireguardDevice {
  readonly backend = "userspace";
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  async read(): Promise<DeviceState | undefined> {
    try {
      return parseUapi(await exchange(this.#socket, "get=1\n\n"));
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  async apply(change: DeviceChange): Promise<void> {
    try {
      await exchange(this.#socket, formatUapi(change));
    } catch (cause) {
      if (!isGone(cause)) throw cause;
      const text = "wireguard-go ended while it was being configured";
      throw new HansaError("OVERLAY_TUNNEL_MISSING", text, { cause });
    }
  }
}

/** A socket file without a listener is what a killed wireguard-go leaves. */
function isGone(error: unknown): boolean {
  const gone = ["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"];
  return gone.some((errno) => isErrno(error, errno));
}

/** The request that carries `change` out. */
export function formatUapi(change: DeviceChange): string {
  const lines = ["set=1"];
  if (change.interfaceChanged) {
    lines.push(`private_key=${hex(change.privateKey)}`, `listen_port=${change.listenPort}`);
  }
  for (const key of change.remove) lines.push(`public_key=${hex(key)}`, "remove=true");
  for (const peer of change.peers) {
    if (!peer.changed) continue;
    lines.push(
      `public_key=${hex(peer.publicKey)}`,
      `preshared_key=${hex(peer.presharedKey)}`,
      ...(peer.endpoint === undefined ? [] : [`endpoint=${peer.endpoint}`]),
      `persistent_keepalive_interval=${peer.keepaliveSeconds}`,
      "replace_allowed_ips=true",
      ...peer.allowedIps.map((block) => `allowed_ip=${block}`),
    );
  }
  return `${lines.join("\n")}\n\n`;
}

/** The state that an answer to `get=1` tells. */
export function parseUapi(text: string): DeviceState {
  let privateKey = "";
  let listenPort = 0;
  const peers = new Map<string, DevicePeer>();
  let peer: Draft | undefined;
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at < 0) continue;
    const key = line.slice(0, at);
    const value = line.slice(at + 1);
    if (key === "private_key") privateKey = base64(value);
    else if (key === "listen_port") listenPort = count(value);
    else if (key === "public_key") {
      peer = newDraft();
      peers.set(base64(value), peer);
    } else if (peer) readPeerLine(peer, key, value);
  }
  return { privateKey, listenPort, peers };
}

type Draft = { -readonly [K in keyof DevicePeer]: DevicePeer[K] } & { allowedIps: string[] };

function newDraft(): Draft {
  const counters = { keepaliveSeconds: 0, handshakeAt: undefined, rxBytes: 0, txBytes: 0 };
  return { presharedKey: "", endpoint: null, allowedIps: [], ...counters };
}

function readPeerLine(peer: Draft, key: string, value: string): void {
  switch (key) {
    case "preshared_key":
      peer.presharedKey = base64(value);
      break;
    case "endpoint":
      peer.endpoint = value;
      break;
    case "allowed_ip":
      peer.allowedIps.push(value);
      break;
    case "persistent_keepalive_interval":
      peer.keepaliveSeconds = count(value);
      break;
    case "last_handshake_time_sec":
      if (count(value) > 0) peer.handshakeAt = count(value) * 1000;
      break;
    case "last_handshake_time_nsec":
      if (peer.handshakeAt !== undefined) peer.handshakeAt += Math.floor(count(value) / 1e6);
      break;
    case "rx_bytes":
      peer.rxBytes = count(value);
      break;
    case "tx_bytes":
      peer.txBytes = count(value);
      break;
  }
}

function exchange(path: string, request: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let size = 0;
  const socket = connect(path);
  socket.setTimeout(TIMEOUT_MS, () => {
    socket.destroy(
      new HansaError(
        "OVERLAY_REFUSED",
        `wireguard-go did not answer within ${TIMEOUT_MS / 1000} s`,
      ),
    );
  });
  socket.on("error", reject);
  socket.on("connect", () => socket.write(request));
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    const tail = chunk.length > 1 ? chunk : Buffer.concat(chunks.slice(-2));
    if (size > MAX_ANSWER) {
      socket.destroy(new HansaError("OVERLAY_REFUSED", "wireguard-go's answer has no end"));
    } else if (tail.at(-1) === 10 && tail.at(-2) === 10) {
      socket.destroy();
      finish(Buffer.concat(chunks).toString("latin1"), resolve, reject);
    }
  });
  socket.on("close", () => {
    const early: NodeJS.ErrnoException = new Error("wireguard-go hung up before it answered");
    early.code = "ECONNRESET";
    reject(early);
  });
  return promise;
}

function finish(
  answer: string,
  resolve: (answer: string) => void,
  reject: (error: HansaError) => void,
): void {
  const errno = /^errno=(-?\d+)$/m.exec(answer)?.[1];
  if (errno === "0") {
    resolve(answer);
    return;
  }
  const why = errno === "-98" ? "its port is taken by another program" : `error ${errno ?? "none"}`;
  reject(new HansaError("OVERLAY_REFUSED", `wireguard-go refused its configuration: ${why}`));
}

function hex(key: string): string {
  return Buffer.from(key, "base64").toString("hex");
}

function base64(key: string): string {
  return /^0*$/.test(key) ? "" : Buffer.from(key, "hex").toString("base64");
}

function count(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
