/**
 * Nodes of the reference memberlist in one Go process, as objects.
 *
 * The process ends when its stdin closes, so also when this one dies. INTEROP_LOG=1 shows memberlist's own log.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Endpoint } from "../../src/values/endpoint.ts";
import { formatEndpoint } from "../../src/values/endpoint.ts";
import { buildGo, INTEROP } from "./go-build.ts";

/** See Settings in go/src/hansa/reference/node.go. */
export interface ReferenceSettings {
  readonly name: string;
  readonly bind: string;
  readonly port?: number;
  readonly key?: Uint8Array | undefined;
  readonly meta?: string;
  readonly state?: Uint8Array | undefined;
  readonly compression?: boolean;
  readonly protocol?: number;
  readonly disableTcpPings?: boolean;
  readonly timing?: Readonly<Record<string, number>>;
  /** Keeps what the node sends in `sent`. */
  readonly record?: boolean;
}

export interface ReferenceMember {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly meta: Buffer;
  readonly protocol: readonly [number, number, number];
}

/** What a node's transport loses. Addresses are "ip:port", or "*" for all. */
export interface Cut {
  readonly packets?: readonly string[];
  readonly dials?: readonly string[];
  /** All streams that others dial. */
  readonly accepts?: boolean;
}

export interface Sent {
  readonly kind: "packet" | "dialled" | "accepted";
  readonly bytes: Buffer;
}

/** One message as memberlist's own libraries read it; byte strings are base64. See go/src/hansa/interop/explain.go. */
export interface Explained {
  readonly type: number;
  readonly fields: Readonly<Record<string, string | number | boolean | null>> | null;
  readonly members?: readonly Readonly<Record<string, string | number | null>>[];
  readonly payload?: string;
  readonly wrapping: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

interface Line {
  readonly id?: number;
  readonly ok?: boolean;
  readonly error?: string;
  readonly event?: string;
  readonly node?: string;
  readonly kind?: string;
  readonly join?: boolean;
  readonly payload?: string;
  readonly port?: number;
  readonly joined?: number;
  readonly health?: number;
  readonly counts?: Readonly<Record<string, number>>;
  readonly member?: { readonly name: string };
  readonly explained?: readonly Explained[];
  readonly members?: readonly {
    readonly name: string;
    readonly ip: string;
    readonly port: number;
    readonly meta: string | null;
    readonly protocol: [number, number, number];
  }[];
}

export class Reference implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<Line>>();
  readonly #nodes = new Map<string, ReferenceNode>();
  #nextId = 1;
  #end: Error | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    const { stdout } = child;
    if (stdout === null) throw new Error("a process without stdout");
    createInterface({ input: stdout }).on("line", (line) => this.#onLine(JSON.parse(line)));
    child.once("close", (code) => this.#finish(new Error(`memberlist's process ended (${code})`)));
    child.once("error", (error) => this.#finish(error));
    child.stdin?.on("error", (error) => this.#finish(error));
  }

  static async start(): Promise<Reference> {
    const log = process.env["INTEROP_LOG"] ? "inherit" : "ignore";
    return new Reference(spawn(await buildGo(INTEROP), [], { stdio: ["pipe", "pipe", log] }));
  }

  async node(settings: ReferenceSettings): Promise<ReferenceNode> {
    const { record = false, key, meta, state, ...rest } = settings;
    const node = new ReferenceNode(settings.name, (op, fields) =>
      this.#ask({ op, node: settings.name, ...fields }),
    );
    // Before the node is there: it reports itself while it starts.
    this.#nodes.set(settings.name, node);
    const bytes = { key: base64(key), meta: base64(Buffer.from(meta ?? "")), state: base64(state) };
    const { port = 0 } = await this.#ask({
      op: "start",
      record,
      settings: { ...rest, ...bytes },
    });
    node.at = { ip: settings.bind, port };
    return node;
  }

  /** What the reference reads in something that was sent. */
  async explain({ kind, bytes }: Sent, key?: Uint8Array): Promise<readonly Explained[]> {
    const request = { op: "explain", kind, payload: base64(bytes), settings: { key: base64(key) } };
    return (await this.#ask(request)).explained ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end !== undefined) return;
    const closed = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    this.#child.stdin?.end();
    await closed;
  }

  async #ask(request: Fields): Promise<Line> {
    if (this.#end !== undefined) throw this.#end;
    const id = this.#nextId++;
    const pending = Promise.withResolvers<Line>();
    this.#waiting.set(id, pending);
    this.#child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    return await pending.promise;
  }

  #onLine(line: Line): void {
    if (line.event !== undefined) {
      this.#nodes.get(line.node ?? "")?.note(line);
      return;
    }
    const pending = this.#waiting.get(line.id ?? 0);
    this.#waiting.delete(line.id ?? 0);
    if (line.ok) pending?.resolve(line);
    else pending?.reject(new Error(`memberlist: ${line.error}`));
  }

  #finish(why: Error): void {
    this.#end ??= why;
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
  }
}

export class ReferenceNode {
  readonly name: string;
  at: Endpoint = { ip: "", port: 0 };
  /** "joined n1", "updated n1", "gone n1", in the order told. */
  readonly events: string[] = [];
  readonly users: string[] = [];
  readonly merged: Buffer[] = [];
  readonly sent: Sent[] = [];
  readonly #ask: (op: string, fields?: Fields) => Promise<Line>;

  constructor(name: string, ask: (op: string, fields?: Fields) => Promise<Line>) {
    this.name = name;
    this.#ask = ask;
  }

  get address(): string {
    return formatEndpoint(this.at);
  }

  /** How many of `targets` were reached. Rejects when none was. */
  async join(...targets: readonly Endpoint[]): Promise<number> {
    return (await this.#ask("join", { targets: targets.map(formatEndpoint) })).joined ?? 0;
  }

  /** Those that it holds alive or suspect, itself included. */
  async members(): Promise<readonly ReferenceMember[]> {
    const { members = [] } = await this.#ask("members");
    return members.map((each) => ({ ...each, meta: Buffer.from(each.meta ?? "", "base64") }));
  }

  async announce(meta: string, ms = 30_000): Promise<void> {
    await this.#ask("announce", { payload: base64(Buffer.from(meta)), ms });
  }

  async sendPacket(to: string, payload: Uint8Array): Promise<void> {
    await this.#ask("packet", { to, payload: base64(payload) });
  }

  async sendStream(to: string, payload: Uint8Array): Promise<void> {
    await this.#ask("stream", { to, payload: base64(payload) });
  }

  async broadcast(payload: Uint8Array): Promise<void> {
    await this.#ask("broadcast", { payload: base64(payload) });
  }

  /** Loses from now on what `cut` says and nothing else. */
  async cut(cut: Cut): Promise<void> {
    await this.#ask("cut", { cut });
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    return (await this.#ask("counts")).counts ?? {};
  }

  /** Lifeguard's score, 0 is healthy. */
  async health(): Promise<number> {
    return (await this.#ask("counts")).health ?? 0;
  }

  async leave(ms = 30_000): Promise<void> {
    await this.#ask("leave", { ms });
  }

  /** Closes its sockets without a word. */
  async kill(): Promise<void> {
    await this.#ask("stop");
  }

  note(line: Line): void {
    const payload = Buffer.from(line.payload ?? "", "base64");
    if (line.event === "member") this.events.push(`${line.kind} ${line.member?.name}`);
    else if (line.event === "user") this.users.push(describe(payload));
    else if (line.event === "merged") this.merged.push(payload);
    else if (line.event === "sent") {
      this.sent.push({ kind: line.kind as Sent["kind"], bytes: payload });
    }
  }
}

/** As RecordingDelegate has payloads: long ones by their length. */
function describe(payload: Buffer): string {
  return payload.length > 60 ? String(payload.length) : payload.toString();
}

function base64(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("base64");
}
