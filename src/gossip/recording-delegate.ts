/** A delegate that remembers what it was told. Only tests import this. */
import type { Refusal } from "../membership/wire/packet.ts";
import type { Endpoint } from "../values/endpoint.ts";
import { Gossip } from "./gossip.ts";
import type {
  GossipDelegate,
  GossipOptions,
  MemberEvent,
  RemoteMember,
} from "./gossip-delegate.ts";

export class RecordingDelegate implements GossipDelegate {
  state = "";
  readonly merged: string[] = [];
  readonly users: string[] = [];
  readonly events: string[] = [];
  readonly incarnations: number[] = [];
  readonly rejections: Refusal[] = [];
  readonly synchronised: (readonly RemoteMember[])[] = [];

  localState(): Uint8Array {
    return Buffer.from(this.state);
  }

  mergeRemoteState(state: Uint8Array, join: boolean): void {
    this.merged.push(`${join ? "join" : "sync"} ${Buffer.from(state).toString()}`);
  }

  userMessage(payload: Uint8Array, _from: Endpoint, via: string): void {
    this.users.push(`${via} ${payload.length > 60 ? payload.length : Buffer.from(payload)}`);
  }

  memberEvent(event: MemberEvent): void {
    this.events.push(`${event.kind} ${event.member.name}`);
  }

  persistIncarnation(value: number): void {
    this.incarnations.push(value);
  }

  synced(_from: Endpoint, members: readonly RemoteMember[]): void {
    this.synchronised.push(members);
  }

  rejected(_from: Endpoint, reason: Refusal): void {
    this.rejections.push(reason);
  }
}

export const KEY = Buffer.alloc(32, 1);

/** Ten times as fast as in earnest, except suspicion, which a busy machine must not cut short. */
export const FAST = {
  probeIntervalMs: 200,
  probeTimeoutMs: 100,
  gossipIntervalMs: 20,
  pushPullIntervalMs: 2_000,
  suspicionMult: 3,
  suspicionMaxTimeoutMult: 2,
};

export interface Node extends AsyncDisposable {
  readonly gossip: Gossip;
  readonly delegate: RecordingDelegate;
  readonly at: Endpoint;
}

/** A node on a free port of a loopback address, closed at the end of its block. */
export async function startNode(name: string, options: Partial<GossipOptions> = {}): Promise<Node> {
  const delegate = new RecordingDelegate();
  delegate.state = `state of ${name}`;
  const gossip = await Gossip.start({
    name,
    bind: { ip: "127.0.0.1", port: 0 },
    advertise: { ip: "127.0.0.1", port: 0 },
    keys: [KEY],
    label: "test",
    meta: Buffer.from(`meta of ${name}`),
    incarnation: 0,
    timing: FAST,
    delegate,
    ...options,
  });
  return {
    gossip,
    delegate,
    at: { ip: options.bind?.ip ?? "127.0.0.1", port: gossip.port },
    [Symbol.asyncDispose]: () => gossip.close(),
  };
}

/** Resolves once `condition` holds; throws with `what` after `withinMs`. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 60_000,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** "n1 alive, n2 dead", in order of names. */
export function view(node: Node): string {
  const members = [...node.gossip.members()].sort((a, b) => a.name.localeCompare(b.name));
  return members.map(({ name, state }) => `${name} ${state}`).join(", ");
}
