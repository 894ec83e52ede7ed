/** Preloaded into an executable that was just built: says on standard error how many chunks ran, and of how many V8 refused the code. */
const vm = require("node:vm");

let chunks = 0;
let refused = 0;

vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    chunks += 1;
    if (this.cachedDataRejected !== false) refused += 1;
  }
};

process.on("exit", () => process.stderr.write(`chunks ${chunks}, refused ${refused}\n`));
