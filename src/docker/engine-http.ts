/**
 * A thin client of the Docker Engine's HTTP API on its unix socket.
 *
 * Invariant: each request has a deadline; the version spoken is the Engine's own, at most the newest that was tried. Written by
 * hand: dockerode brings ssh and gRPC with it, needs four workarounds in the single executable, and of all that we use ten requests.
 */
import { HansaError, isErrno } from "../errors.ts";
import {
  keptConnections,
  type UnixRequest,
  type UnixResponse,
  unixRequest,
} from "../host/unix-http.ts";
import type { ContainerEngine } from "./container-engine.ts";
import type {
  Container,
  ContainerSummary,
  Engine,
  EngineEvent,
  EngineInfo,
  Network,
  NetworkSpec,
} from "./engine.ts";
import { mendedEvents } from "./engine-events.ts";
import { list, object, text, toContainer, toInfo, toNetwork, toSummary } from "./engine-json.ts";
import { HttpContainerEngine } from "./http-container-engine.ts";

const DEFAULT_SOCKET = "/var/run/docker.sock";
const OLDEST_API = 40;
const NEWEST_API = 52;
const REQUEST_MS = 10_000;
/** Creating and starting ask the address plugin, which may take its 10 s. */
const SLOW_REQUEST_MS = 60_000;

/** The Engine's socket: DOCKER_HOST's, or Docker's default. Throws USAGE when DOCKER_HOST is no unix socket. */
export function engineSocket(env: Readonly<Record<string, string | undefined>>): string {
  const host = env["DOCKER_HOST"];
  if (host === undefined || host === "") return DEFAULT_SOCKET;
  if (host.startsWith("unix:///")) return host.slice("unix://".length);
  throw new HansaError("USAGE", "DOCKER_HOST names no unix socket of this host", {
    hint: "unset DOCKER_HOST, or set it to unix:///path/to/docker.sock",
  });
}

export class HttpEngine implements Engine {
  readonly inside: ContainerEngine;
  readonly #socketPath: string;
  readonly #kept = keptConnections();
  /** "/v1.41"; forgotten when the Engine goes away, for another version may come back. */
  #prefix: string | undefined;

  constructor(socketPath: string = engineSocket(process.env)) {
    this.#socketPath = socketPath;
    this.inside = new HttpContainerEngine({
      ...{ socketPath, kept: this.#kept },
      prefix: () => this.#negotiate(),
      ask: (method, path, body) => this.#ask(method, path, body, SLOW_REQUEST_MS),
      accept: (answer) => this.#accept(answer),
      inOurWords: (error) => this.#lost(error),
    });
  }

  async info(): Promise<EngineInfo> {
    const answer = await this.#ask("GET", "/info");
    return toInfo(this.#accept(answer).body, (this.#prefix ?? "").slice(2));
  }

  async createNetwork(spec: NetworkSpec): Promise<string> {
    const body = {
      Name: spec.name,
      // Older Engines allow two networks of one name unless told.
      CheckDuplicate: true,
      Driver: spec.driver,
      IPAM: { Driver: spec.ipamDriver, Config: [{ Subnet: spec.subnet, Gateway: spec.gateway }] },
      Options: spec.options,
      Labels: spec.labels,
    };
    const answer = await this.#ask("POST", "/networks/create", body, SLOW_REQUEST_MS);
    return text(object(this.#accept(answer).body)["Id"]);
  }

  async inspectNetwork(network: string): Promise<Network | undefined> {
    const answer = await this.#ask("GET", `/networks/${encodeURIComponent(network)}`);
    return answer.status === 404 ? undefined : toNetwork(this.#accept(answer).body);
  }

  async removeNetwork(network: string): Promise<boolean> {
    const path = `/networks/${encodeURIComponent(network)}`;
    const answer = await this.#ask("DELETE", path, undefined, SLOW_REQUEST_MS);
    return answer.status !== 404 && this.#accept(answer).status < 300;
  }

  async listContainers(
    filter: { readonly network?: string } = {},
  ): Promise<readonly ContainerSummary[]> {
    const filters = filter.network === undefined ? {} : { network: [filter.network] };
    const query = encodeURIComponent(JSON.stringify(filters));
    const answer = await this.#ask("GET", `/containers/json?all=true&filters=${query}`);
    // An Engine refuses a filter for a network that it does not know.
    if (answer.status === 404 && filter.network !== undefined) return [];
    return list(this.#accept(answer).body).map(toSummary);
  }

  async inspectContainer(container: string): Promise<Container | undefined> {
    const answer = await this.#ask("GET", `/containers/${encodeURIComponent(container)}/json`);
    return answer.status === 404 ? undefined : toContainer(this.#accept(answer).body);
  }

  async hasImage(image: string): Promise<boolean> {
    const answer = await this.#ask("GET", `/images/${encodeURIComponent(image)}/json`);
    return answer.status !== 404 && this.#accept(answer).status < 300;
  }

  async startContainer(container: string): Promise<boolean> {
    const path = `/containers/${encodeURIComponent(container)}/start`;
    const answer = await this.#ask("POST", path, undefined, SLOW_REQUEST_MS);
    // 304: it runs already.
    if (answer.status === 304) return true;
    // Also a missing network is a 404; only the container's own absence is "none".
    if (answer.status === 404 && /no such container/i.test(answer.text)) return false;
    this.#accept(answer);
    return true;
  }

  async connectNetwork(
    network: string,
    container: string,
    options: { readonly address?: string; readonly aliases?: readonly string[] } = {},
  ): Promise<void> {
    const { address, aliases } = options;
    const body = {
      Container: container,
      EndpointConfig: {
        ...(address === undefined ? {} : { IPAMConfig: { IPv4Address: address } }),
        ...(aliases === undefined ? {} : { Aliases: aliases }),
      },
    };
    const path = `/networks/${encodeURIComponent(network)}/connect`;
    this.#accept(await this.#ask("POST", path, body, SLOW_REQUEST_MS));
  }

  async disconnectNetwork(network: string, container: string, force: boolean): Promise<void> {
    const body = { Container: container, Force: force };
    const path = `/networks/${encodeURIComponent(network)}/disconnect`;
    this.#accept(await this.#ask("POST", path, body, SLOW_REQUEST_MS));
  }

  events(signal: AbortSignal): AsyncIterable<EngineEvent> {
    return mendedEvents(this.#socketPath, () => this.#negotiate(), signal);
  }

  async #ask(
    method: NonNullable<UnixRequest["method"]>,
    path: string,
    body?: unknown,
    timeoutMs = REQUEST_MS,
  ): Promise<UnixResponse> {
    const prefix = await this.#negotiate();
    return this.#send({ method, path: prefix + path, body, timeoutMs });
  }

  /** The path prefix of the version that both sides speak. */
  async #negotiate(): Promise<string> {
    if (this.#prefix !== undefined) return this.#prefix;
    const ping = await this.#send({ path: "/_ping", timeoutMs: REQUEST_MS });
    const header = ping.headers["api-version"];
    const spoken = typeof header === "string" ? header : await this.#askVersion();
    const minor = /^1\.(\d{1,3})$/.exec(spoken)?.[1];
    if (minor === undefined || Number(minor) < OLDEST_API) {
      const named = /^[\d.]{1,10}$/.test(spoken) ? spoken : "of no known version";
      throw new HansaError(
        "DOCKER_TOO_OLD",
        `the Docker Engine on ${this.#socketPath} speaks API ${named}, and hansa needs 1.${OLDEST_API}`,
      );
    }
    this.#prefix = `/v1.${Math.min(Number(minor), NEWEST_API)}`;
    return this.#prefix;
  }

  async #askVersion(): Promise<string> {
    const answer = await this.#send({ path: "/version", timeoutMs: REQUEST_MS });
    return text(object(this.#accept(answer).body)["ApiVersion"]);
  }

  async #send(request: Omit<UnixRequest, "socketPath">): Promise<UnixResponse> {
    try {
      return await unixRequest({ ...request, socketPath: this.#socketPath, kept: this.#kept });
    } catch (error) {
      throw this.#lost(error);
    }
  }

  /** What a failed connection to the Engine is called. Another version may answer next time. */
  #lost(error: unknown): unknown {
    if (error instanceof HansaError) return error;
    this.#prefix = undefined;
    return unreachable(this.#socketPath, error);
  }

  #accept(answer: UnixResponse): UnixResponse {
    if (answer.status < 400) return answer;
    const words = text(object(answer.body)["message"]) || `status ${answer.status}`;
    throw new HansaError("DOCKER_REFUSED", `docker refused: ${words.split("\n")[0]}`);
  }
}

function unreachable(socketPath: string, cause: unknown): HansaError {
  if (isErrno(cause, "ENOENT")) {
    return new HansaError("DOCKER_UNREACHABLE", `no Docker Engine: there is no ${socketPath}`, {
      hint: "install it with apt-get install docker.io, start it with systemctl start docker, or set DOCKER_HOST",
      cause,
    });
  }
  if (isErrno(cause, "EACCES") || isErrno(cause, "EPERM")) {
    return new HansaError("DOCKER_UNREACHABLE", `no permission to open ${socketPath}`, {
      hint: "run the same command with sudo",
      cause,
    });
  }
  const reason = isErrno(cause, "ECONNREFUSED")
    ? "nobody serves it"
    : cause instanceof Error
      ? cause.message
      : String(cause);
  return new HansaError(
    "DOCKER_UNREACHABLE",
    `the Docker Engine on ${socketPath} does not answer: ${reason}`,
    { cause },
  );
}
