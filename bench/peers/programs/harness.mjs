// What every Node peer's program shares: the same words and the same pipe as harness.py, which says them.
import { openSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";

export const SETTINGS = JSON.parse(process.env.PEER_SETTINGS || "{}");
export const DSN = process.env.PEER_DSN;
const FD = process.env.PEER_STARTS ? openSync(process.env.PEER_STARTS, "w") : -1;
const STAMPS = Boolean(process.env.PEER_STAMPS);
const EACH = 64;
const HELD_NS = 5_000_000n;
const CALLERS = 16;
const TICK_MS = 10;

const nowNs = () => process.hrtime.bigint();
export const payload = (stamp) => ({
  user_id: stamp || 12345678901,
  email: "someone@example.com",
  note: "filled up to a hundred bytes.........",
});
const stamped = () => payload(Number(nowNs() / 1000n));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function pair(first, second) {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(first, 0);
  bytes.writeBigInt64LE(second, 8);
  return bytes;
}

let count = 0;
function counted() {
  count += 1;
  if (count % EACH === 1) writeSync(FD, pair(count === 1 ? 1n : BigInt(EACH), nowNs()));
}

let held = [];
let since = 0n;
function flush() {
  if (held.length) writeSync(FD, Buffer.concat(held));
  held = [];
}
function kept(stamp) {
  const now = nowNs();
  if (!held.length) since = now;
  held.push(pair(BigInt(stamp) * 1000n, now));
  if (held.length >= EACH || now - since > HELD_NS) flush();
}

export const started = STAMPS ? kept : counted;
const say = (word) => process.stdout.write(`@ ${word}\n`);

async function bulk(peer, number, chunk, capS) {
  const began = nowNs();
  let done = 0;
  while (done < number && Number(nowNs() - began) / 1e9 < capS) {
    const size = Math.min(chunk, number - done);
    await peer.many(Array.from({ length: size }, () => payload()));
    done += size;
  }
  return { n: done, s: Number(nowNs() - began) / 1e9 };
}

async function single(peer, number, capS) {
  const began = nowNs();
  let done = 0;
  while (done < number && Number(nowNs() - began) / 1e9 < capS) {
    await peer.one(payload());
    done += 1;
  }
  return { n: done, s: Number(nowNs() - began) / 1e9 };
}

async function pace(peer, rates, inBulk) {
  const free = inBulk ? 4 : CALLERS;
  const waiting = [];
  const all = new Set();
  let running = 0;
  const began = nowNs();
  const passedS = () => Number(nowNs() - began) / 1e9;
  async function send(size) {
    if (running >= free) await new Promise((go) => waiting.push(go));
    else running += 1; // Whoever is woken takes over the place of the one that ended.
    try {
      if (inBulk) await peer.many(Array.from({ length: size }, stamped));
      else await peer.one(stamped());
    } finally {
      if (waiting.length) waiting.shift()();
      else running -= 1;
    }
  }
  let sent = 0;
  let dueBefore = 0;
  let until = 0;
  for (const [perS, seconds] of rates) {
    const start = until;
    until += seconds;
    for (;;) {
      const passed = Math.min(passedS(), until);
      const due = Math.floor(dueBefore + perS * (passed - start));
      if (due > sent) {
        for (const size of inBulk ? [due - sent] : Array(due - sent).fill(1)) {
          const one = send(size).finally(() => all.delete(one));
          all.add(one);
        }
        sent = due;
      }
      if (passed >= until) break;
      await sleep(inBulk ? TICK_MS : Math.max(1, ((sent + 1 - dueBefore) / perS + start - passed) * 1000));
    }
    dueBefore += perS * seconds;
  }
  const asked = passedS();
  await Promise.all(all);
  return { n: sent, asked_s: asked, s: passedS() };
}

function obey(peer, asked) {
  if (asked.do === "bulk") return bulk(peer, asked.n, asked.chunk, asked.cap_s);
  if (asked.do === "single") return single(peer, asked.n, asked.cap_s);
  return pace(peer, asked.rates, asked.bulk);
}

export async function main(peer) {
  const mode = process.argv[2];
  if (mode === "install") {
    await peer.install();
    process.exit(0);
  }
  const lines = createInterface({ input: process.stdin });
  lines.on("close", () => process.exit(0));
  if (mode === "produce") {
    await peer.produce();
    lines.on("line", async (line) => {
      if (line === "end") process.exit(0);
      say(JSON.stringify(await obey(peer, JSON.parse(line))));
    });
  } else {
    lines.on("line", (line) => {
      if (line === "go") peer.work();
      else if (line === "end") process.exit(0);
      else if (line === "flush") {
        flush();
        say("flushed");
      }
    });
  }
  say("open");
}
