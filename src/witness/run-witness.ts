/** The role `hansa witness`: one witness, from its file to the end of the process. Its etcd goes on without it. */
import { once } from "node:events";
import {
  type EndVoter,
  endVoterSchema,
  type StartVoter,
  startVoterSchema,
  type Times,
  timesSchema,
} from "../api/store-schemas.ts";
import { BUILD } from "../api/version.ts";
import { HansaError } from "../errors.ts";
import type { Fields } from "../host/line-channel.ts";
import { createLogger, type Logger } from "../host/logger.ts";
import { createSigningRequest, publicKeyHash, selfSigned } from "../identity/signing-request.ts";
import { findTool } from "../processes/host-tools.ts";
import { hansaPaths, type Paths } from "../processes/paths.ts";
import { makeDirectories, searchPath } from "../processes/start-process.ts";
import { requireFreeStorePorts } from "../processes/store-service.ts";
import { thisProgram } from "../processes/this-program.ts";
import { RaftProxy } from "./raft-proxy.ts";
import {
  claimedWitness,
  loadWitness,
  releasedWitness,
  saveWitness,
  type WitnessFile,
  witnessPaths,
} from "./witness-file.ts";
import { ensureWitnessSupervisor } from "./witness-process.ts";
import { claimProof, isProof, parseClaim, parseMark } from "./witness-protocol.ts";
import { WitnessServer } from "./witness-server.ts";
import { WitnessVoter } from "./witness-voter.ts";

const SUPERVISED_MS = 2000;
/** A guess costs its maker this long. */
const GUESS_MS = 1000;
const ANSWER_MS = 200;

/** Resolves to the exit code, at SIGTERM or SIGINT. Throws NODE_NOT_LAUNCHED on a host that is no witness, PORT_TAKEN and STATE_DAMAGED. */
export async function runWitness(): Promise<number> {
  const host = hansaPaths();
  const paths = witnessPaths(host);
  await makeDirectories(paths);
  const file = await loadWitness(paths);
  if (file === undefined) {
    throw new HansaError("NODE_NOT_LAUNCHED", "this host is no witness", {
      hint: "make it one: hansa qdevice serve",
    });
  }
  const logger = createLogger({ fields: { process: "witness" } });
  const witness = new Witness(file, paths, logger);
  await witness.begin();
  const look = setInterval(() => {
    ensureWitnessSupervisor(thisProgram(), host).catch((error: unknown) =>
      logger.error("the supervisor could not be started", { error: `${error}` }),
    );
  }, SUPERVISED_MS);
  await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  clearInterval(look);
  await witness.close();
  return 0;
}

class Witness {
  #file: WitnessFile;
  readonly #paths: Paths;
  readonly #logger: Logger;
  readonly #folders = searchPath(process.env);
  readonly #proxy = new RaftProxy();
  #server!: WitnessServer;
  #voter: WitnessVoter | undefined;

  constructor(file: WitnessFile, paths: Paths, logger: Logger) {
    this.#file = file;
    this.#paths = paths;
    this.#logger = logger;
  }

  async begin(): Promise<void> {
    const { ports } = this.#file;
    await this.#proxy.listen(ports.proxy);
    this.#server = new WitnessServer({
      ...{ port: ports.witness, raftPort: ports.raft, proxy: this.#proxy, logger: this.#logger },
      tls: await this.#tls(),
      talk: (op, fields) => this.#talk(op, fields),
      claim: () => this.#claim(),
    });
    if (this.#file.claim) await this.#vote();
    await this.#server.listen();
    this.#logger.info("the witness listens", { port: ports.witness });
  }

  async close(): Promise<void> {
    this.#server.close();
    await this.#voter?.close();
    this.#proxy.close();
  }

  get #keyHash(): string {
    return publicKeyHash(this.#file.key);
  }

  async #tls() {
    const { key, claim } = this.#file;
    if (claim) return { key, cert: claim.certificate, ca: claim.ca };
    return { key, cert: await selfSigned(key, "hansa witness"), ca: [] };
  }

  async #vote(): Promise<void> {
    this.#voter = await WitnessVoter.load({
      ...{ paths: this.#paths, folders: this.#folders, ports: this.#file.ports },
      ...{ tls: await this.#tls(), keyHash: this.#keyHash, logger: this.#logger },
    });
  }

  /** What nodes ask. */
  async #talk(op: string, fields: Fields): Promise<Fields> {
    const voter = this.#voter;
    if (voter === undefined) throw new HansaError("STORE_NONE", "this witness is nobody's");
    switch (op) {
      case "hello":
        voter.told(parseMark(fields["store"]));
        return { version: BUILD, store: voter.mark ?? null };
      case "voter":
        return { ...(await voter.voter()) };
      case "start":
        await voter.start(parsed<StartVoter>(startVoterSchema, fields["request"]));
        return {};
      case "end":
        await voter.end(parsed<EndVoter>(endVoterSchema, fields["request"]));
        return {};
      case "times":
        await voter.retime(parsed<Times>(timesSchema, fields["request"]));
        return {};
      case "defragment":
        await voter.defragment();
        return {};
      case "release":
        await this.#release(voter);
        return {};
      default:
        throw new HansaError("USAGE", "the witness does not know that request");
    }
  }

  /** It is nobody's again, with a new key and a new code. */
  async #release(voter: WitnessVoter): Promise<void> {
    await voter.release();
    await voter.close();
    this.#voter = undefined;
    this.#file = releasedWitness(this.#file);
    await saveWitness(this.#paths, this.#file);
    this.#logger.warn("the witness was released: it is nobody's now");
    await this.#showAnew();
  }

  /** Everybody has to show anew who he is, once the answer that is under way has gone out. */
  async #showAnew(): Promise<void> {
    const tls = await this.#tls();
    setTimeout(() => this.#server.renew(tls), ANSWER_MS).unref();
  }

  /** One conversation: look, prove, take. */
  #claim(): (op: string, fields: Fields) => Promise<Fields> {
    let isProven = false;
    return async (op, fields) => {
      const { code } = this.#file;
      if (op === "look") return { ...(await this.#facts()) };
      if (code === undefined) {
        throw new HansaError("WITNESS_REFUSED", "this witness has been taken already");
      }
      const keyHash = this.#keyHash;
      if (op === "prove") {
        isProven = isProof(fields["proof"], claimProof(code, "node", keyHash));
        if (!isProven) {
          await new Promise((resolve) => setTimeout(resolve, GUESS_MS));
          throw new HansaError("WITNESS_REFUSED", "the code is not that of this witness");
        }
        const request = await createSigningRequest(this.#file.key, "hansa witness");
        return { proof: claimProof(code, "witness", keyHash), request };
      }
      if (op !== "take" || !isProven) {
        throw new HansaError("USAGE", "the witness does not know that request");
      }
      const claim = parseClaim(fields);
      if (publicKeyHash(claim.certificate) !== keyHash) {
        throw new HansaError("WITNESS_REFUSED", "the certificate is for another key");
      }
      this.#file = claimedWitness(this.#file, claim);
      await saveWitness(this.#paths, this.#file);
      await this.#vote();
      await this.#showAnew();
      this.#logger.info("the witness was taken", { cluster: claim.cluster });
      return {};
    };
  }

  async #facts() {
    const { ports, claim } = this.#file;
    const problems: string[] = [];
    if (findTool("etcd", this.#folders) === undefined) {
      problems.push("etcd is not installed there (Debian: etcd-server)");
    }
    if (claim === undefined) {
      try {
        await requireFreeStorePorts(ports, "127.0.0.1");
      } catch (error) {
        if (!(error instanceof HansaError)) throw error;
        problems.push(error.message);
      }
    }
    return { version: BUILD, isTaken: claim !== undefined, raftPort: ports.raft, problems };
  }
}

function parsed<T>(schema: { safeParse(value: unknown): { data?: unknown } }, value: unknown): T {
  const { data } = schema.safeParse(value);
  if (data === undefined) throw new HansaError("USAGE", "the request is malformed");
  return data as T;
}
