/**
 * How long a token would withstand guessing, so that `launch` can warn of a weak one. It never refuses one.
 *
 * The estimate is for one core that does nothing else, at one derivation a guess; an attacker with a thousand cores divides it
 * by a thousand. It looks at length, kinds of characters, repeats, runs and a few famous words: a rough upper bound.
 */
import { GUESS_SECONDS } from "./roots.ts";

export interface TokenStrength {
  /** log2 of the guesses that an attacker needs on average, rounded down. */
  readonly bits: number;
  /** Below 60 bits: within reach of somebody with money. */
  readonly weak: boolean;
  /** "2 minutes", "40 thousand years": half the guesses at 0.3 s each. */
  readonly time: string;
}

const WEAK_BELOW_BITS = 60;
const KINDS: readonly (readonly [RegExp, number])[] = [
  [/[a-z]/, 26],
  [/[A-Z]/, 26],
  [/[0-9]/, 10],
  [/[^A-Za-z0-9]/, 32],
];
const FAMOUS =
  /password|passwd|secret|token|cluster|docker|hansa|admin|root|test|demo|qwerty|letmein|welcome|default|changeme|master|hello|my/gi;
/** A famous word counts as one pick out of that many. */
const FAMOUS_BITS = 6;

/** The estimate for `token`. Pure; the result tells nothing about the token but its strength. */
export function tokenStrength(token: string): TokenStrength {
  const words = token.match(FAMOUS)?.length ?? 0;
  const rest = token.replace(FAMOUS, "");
  const alphabet = KINDS.reduce((sum, [kind, size]) => sum + (kind.test(rest) ? size : 0), 0);
  const random = alphabet === 0 ? 0 : unpredictable(rest) * Math.log2(alphabet);
  const bits = Math.max(0, Math.floor(words * FAMOUS_BITS + random - 1));
  return { bits, weak: bits < WEAK_BELOW_BITS, time: inWords(2 ** bits * GUESS_SECONDS) };
}

/** How many characters do not merely repeat or continue the one before them. */
function unpredictable(text: string): number {
  let count = 0;
  let previous = Number.NaN;
  const seen = new Set<string>();
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (!(Math.abs(code - previous) <= 1)) count += seen.has(character) ? 0.8 : 1;
    seen.add(character);
    previous = code;
  }
  return count;
}

function inWords(seconds: number): string {
  const units: readonly (readonly [number, string])[] = [
    [365.25 * 86_400, "year"],
    [86_400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  for (const [size, unit] of units) {
    if (seconds >= size) return count(seconds / size, unit);
  }
  return "less than a second";
}

function count(amount: number, unit: string): string {
  if (amount >= 1e9) return `more than a billion ${unit}s`;
  if (amount >= 1e6) return `${Math.round(amount / 1e6)} million ${unit}s`;
  if (amount >= 1e4) return `${Math.round(amount / 1e3)} thousand ${unit}s`;
  const whole = Math.round(amount);
  return `${whole} ${unit}${whole === 1 ? "" : "s"}`;
}
