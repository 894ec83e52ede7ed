/**
 * One container a host that is always there, `p1` on host1 and so on, with a certain address: it asks all others' and itself once a second,
 * and prints the number of each that answered: without an answer of its own it is the machine that is busy, not the network. Pure.
 */

export function probeName(host: number): string {
  return `p${host}`;
}

export function probeAddress(host: number): string {
  return `10.33.1.${host}`;
}

/** The command that runs a container which serves its own name on port 80. */
export function runCommand(
  name: string,
  options: readonly string[],
  beside = "",
): readonly string[] {
  const script = `echo ${name} > /index.html; ${beside}exec httpd -f -h /`;
  const first = ["docker", "run", "-d", "--name", name, "--network", "hansa"];
  return [...first, ...options, "busybox", "sh", "-c", script];
}

/** The command that runs the probe of `host`, one of `hosts`. */
export function probeCommand(host: number, hosts: number): readonly string[] {
  const all = Array.from({ length: hosts }, (_, index) => index + 1);
  const ask = (n: number): string =>
    `(while :; do [ "$(wget -qO- -T 2 http://${probeAddress(n)}/ 2>/dev/null)" = ${probeName(n)} ] && echo ${n}; sleep 1; done) & `;
  const options = ["--restart", "always", "--ip", probeAddress(host)];
  return runCommand(probeName(host), options, all.map(ask).join(""));
}
