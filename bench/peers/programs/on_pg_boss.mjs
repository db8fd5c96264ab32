// pg-boss: one queue and one call of work(), with the row's options.
import { PgBoss } from "pg-boss";
import { DSN, SETTINGS, main, started } from "./harness.mjs";

const boss = new PgBoss({ connectionString: DSN, ...SETTINGS.boss });
boss.on("error", console.error);

await main({
  async install() {
    await boss.start();
    await boss.createQueue("noop", SETTINGS.queue || {});
    await boss.stop({ graceful: false });
  },
  produce: () => boss.start(),
  one: (given) => boss.send("noop", given),
  many: (given) => boss.insert("noop", given.map((each) => ({ data: each }))),
  async work() {
    await boss.start();
    await boss.work("noop", SETTINGS.work || {}, async (jobs) => {
      for (const job of jobs) started(job.data.user_id);
    });
  },
});
