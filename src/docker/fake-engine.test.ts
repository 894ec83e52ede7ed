import { engineSuite } from "./engine-suite.ts";
import { FakeEngine } from "./fake-engine.ts";

const engine = new FakeEngine();

engineSuite("FakeEngine", () => ({
  engine,
  ipamDriver: "default",
  createContainer: async (name, network, address) =>
    engine.createContainer({ name, network, ...(address === undefined ? {} : { address }) }),
  stopContainer: async (name) => engine.stopContainer(name),
  removeContainer: async (name) => engine.removeContainer(name),
  stop: async () => engine.stop(),
  start: async () => engine.start(),
}));
