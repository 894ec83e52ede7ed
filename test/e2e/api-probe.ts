/** One request to a node's API from inside a host: `api-probe.ts URL METHOD [FILE]`; FILE holds key, certificate and authority as JSON. Prints status and body. */
import { readFileSync } from "node:fs";
import { request } from "node:https";

const [url = "", method = "GET", file] = process.argv.slice(2);
const leaf = file === undefined ? undefined : JSON.parse(readFileSync(file, "utf8"));
const body = method === "GET" ? undefined : readFileSync(0, "utf8");

const asked = request(url, {
  method,
  ...(leaf && { key: leaf.privateKey, cert: leaf.certificate, ca: leaf.ca }),
  // A stranger has no authority to check against; what it is told is all that is looked at.
  rejectUnauthorized: leaf !== undefined,
});
asked.on("error", (error) => {
  process.stdout.write(`error ${error.message}\n`);
});
asked.on("response", async (response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  process.stdout.write(`${response.statusCode} ${Buffer.concat(chunks)}\n`);
});
asked.end(body);
