/**
 * Runs the named steps of our scripts one after another, each a child process, and says how long each took.
 *
 * The first failing step ends the run with its exit code: nothing is built on something red.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..");

export interface Step {
  readonly title: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Minutes after which the step is ended and counts as failed. */
  readonly minutes?: number;
}

/** Runs one step with our output streams and resolves to its exit code. */
export function runStep(step: Step): Promise<number> {
  const [program = "", ...args] = step.argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...step.env },
    });
    const timer = setTimeout(
      () => {
        process.stderr.write(`${step.title}: not done after ${step.minutes} minutes, ended\n`);
        child.kill("SIGTERM");
      },
      (step.minutes ?? 30) * 60_000,
    );
    child.on("error", (error) => {
      process.stderr.write(`${step.title}: ${error.message}\n`);
      clearTimeout(timer);
      resolve(1);
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      resolve(code ?? 1);
    });
  });
}

/** Runs all steps in order; ends the process with the first non-zero code. */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  for (const [index, step] of steps.entries()) {
    const started = performance.now();
    process.stderr.write(`[${index + 1}/${steps.length}] ${step.title}\n`);
    const code = await runStep(step);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stderr.write(
      `[${index + 1}/${steps.length}] ${step.title}: ${code === 0 ? "ok" : `FAILED (${code})`} in ${seconds} s\n`,
    );
    if (code !== 0) process.exit(code);
  }
}
