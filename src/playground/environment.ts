/** The environment variables that programs on a host get: none of this machine's but the terminal's kind and the language. */

/** What a fresh login on the host would have; our own variables (DOCKER_HOST…) must not reach it. */
export function hostEnvironment(
  added: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    TERM: process.env["TERM"] ?? "dumb",
    LANG: process.env["LANG"] ?? "C.UTF-8",
    ...added,
  };
}
