/** Tells on standard error what takes longer than a second; shorter work stays silent. */

const SILENT_MS = 1000;
const REPEAT_MS = 10_000;

export interface Progress {
  /** What is being done from now on. */
  step(text: string): void;
  stop(): void;
}

/** Begins to tell by `note` after one second, each new step at once, and every ten seconds that it still goes on. */
export function startProgress(note: (line: string) => void, first: string): Progress {
  let text = first;
  let isLoud = false;
  // Not by `performance`, for which Node loads a module of a millisecond: most commands end in silence.
  const started = process.uptime();
  const tell = (): void => {
    const seconds = Math.round(process.uptime() - started);
    note(seconds >= REPEAT_MS / 1000 ? `${text} … ${seconds} s` : `${text} …`);
  };
  let repeat: NodeJS.Timeout | undefined;
  const begin = setTimeout(() => {
    isLoud = true;
    tell();
    repeat = setInterval(tell, REPEAT_MS);
  }, SILENT_MS);
  return {
    step(next) {
      if (next === text) return;
      text = next;
      if (isLoud) tell();
    },
    stop() {
      clearTimeout(begin);
      clearInterval(repeat);
    },
  };
}

/** Runs `work` with progress that ends with it. */
export async function withProgress<T>(
  note: (line: string) => void,
  first: string,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = startProgress(note, first);
  try {
    return await work(progress);
  } finally {
    progress.stop();
  }
}
