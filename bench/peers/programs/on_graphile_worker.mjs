// graphile-worker, with whatever preset the row gives.
import { Logger, makeWorkerUtils, run, runMigrations } from "graphile-worker";
import { DSN, SETTINGS, main, started } from "./harness.mjs";

const logger = new Logger(() => (level, message) => (level === "error" ? console.error(message) : undefined));
const preset = { worker: { connectionString: DSN, ...SETTINGS.worker } };
const taskList = { noop: async (given) => started(given.user_id) };

let utils;
await main({
  install: () => runMigrations({ preset, logger }),
  async produce() {
    utils = await makeWorkerUtils({ preset, logger });
  },
  one: (given) => utils.addJob("noop", given),
  many: (given) => utils.addJobs(given.map((each) => ({ identifier: "noop", payload: each }))),
  async work() {
    const runner = await run({ preset, logger, noHandleSignals: true, taskList });
    await runner.promise;
  },
});
