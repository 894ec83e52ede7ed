/** What a command is: data for parser, help and reference, and a function to run. */
import type { DoctorReport } from "../api/doctor-schema.ts";
import type { HostReport } from "../api/report-schema.ts";
import type { NodeClient } from "../client/node-client.ts";
import type { Console } from "./console.ts";

/**
 * What a shell offers for a word: these words, names of files, or what the running daemon knows: this node's targets, peers that are none
 * of its targets yet, or all nodes.
 */
export type Completes = readonly string[] | "files" | "targets" | "peers" | "nodes";

export interface OptionSpec {
  /** Long name without dashes. */
  readonly name: string;
  /** One letter, for `-o`. */
  readonly short?: string;
  /** What its value is called in help; a flag has none. */
  readonly value?: string;
  readonly summary: string;
  /** It may be given several times; its values are in `Words.lists`. */
  readonly many?: true;
  /** In help it stands with the option before it. */
  readonly hidden?: boolean;
  /** An option of a predecessor that means nothing here, and what there is instead: told to who gives it, and shown nowhere. */
  readonly refused?: string;
  /** What its value may be; nothing is offered by default. */
  readonly completes?: Completes;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** More than the summary tells, in whole sentences. */
  readonly details?: string;
  /** What may follow the options; without it nothing may. */
  readonly operands?: {
    readonly name: string;
    readonly min: number;
    readonly max: number;
    readonly completes?: Completes;
    /** After so many operands every word is one, also those with dashes. */
    readonly verbatimAfter?: number;
  };
  readonly options: readonly OptionSpec[];
  /** Done to the host that it is run on, and to no cluster elsewhere: --context is refused. */
  readonly onThisHost?: true;
  /** May be asked of another node with --node; else that option is refused, for the command would be done here. */
  readonly asksNode?: true;
  /** Complete command lines without the program's name. */
  readonly examples: readonly string[];
  /** All words go to `run` as they are, also --help. */
  readonly raw?: boolean;
}

/** A command line that fits its spec. */
export interface Words {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  /** Of options that may be given several times. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
}

/** The world as commands see it. */
export interface Context {
  /** The name that the program was called by: "hansa", or a predecessor's. */
  readonly program: ProgramName;
  /** Data: standard output. */
  out(text: string): void;
  /** Everything else: standard error, one line with the program's name before it. */
  note(line: string): void;
  readonly isRoot: boolean;
  /** Whether standard output takes colours. */
  readonly colour: boolean;
  readonly debug: boolean;
  /** The lines of the terminal that standard output is, as it is now; undefined when it is none. */
  rows(): number | undefined;
  /** Aborts when the user presses Ctrl-C, which then no longer ends the program by itself. */
  interrupted(): AbortSignal;
  /** The context that --context or HANSA_CONTEXT names. */
  readonly contextName: string | undefined;
  /** The node that is asked: this host's, or one of a context. Throws CONTEXT_NOT_FOUND and STATE_DAMAGED. */
  readonly client: NodeClient;
  /** The node of --node, which `client` asks through the one that it reaches. */
  readonly node: string | undefined;
  /** The daemon of this host, for commands that change this host. */
  readonly local: NodeClient;
  /** The doctor's report of this host without its daemon. */
  examineHost(): Promise<DoctorReport>;
  /** The report of this host without its daemon. */
  reportHost(): Promise<HostReport>;
  nowMs(): number;
  /** The streams of this process as they are, for what is no text. */
  readonly console: Console;
  /** Standard input to its end, at most `maxBytes`. */
  readStdin(maxBytes: number): Promise<string>;
}

export const PROGRAM_NAMES = ["hansa", "overnode", "smr", "smrctl", "smrmgr", "pvecm"] as const;
export type ProgramName = (typeof PROGRAM_NAMES)[number];

export interface Command extends CommandSpec {
  /** Resolves to the exit status, or throws. */
  run(words: Words, context: Context): Promise<number>;
}
