/** What runs in a container, and what it uses. */

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

/** What a container uses, as of one moment. Bytes, but for the percentage of one processor. */
export interface ContainerUsage {
  readonly readAt: string;
  readonly cpuPercent: number;
  readonly memory: number;
  readonly memoryLimit: number;
  readonly received: number;
  readonly sent: number;
  readonly blockRead: number;
  readonly blockWritten: number;
  readonly processes: number;
}
