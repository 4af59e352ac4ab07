import { readFileSync } from 'node:fs';
import { startLocalBroker } from '../../../local/local-broker.ts';
import { witness } from '../../support/broker-witness.ts';
import { crowd, unfinishedRows } from '../../support/crowd.ts';
import { operatorEvent } from '../../../local/operator/operator-event.ts';
import { demoPolicyWith, HIGHEST_LIMITS } from '../../support/raised-limits.ts';

const NIGHTLY = process.env['NIGHTLY'] !== undefined;
const PEOPLE = NIGHTLY ? 1_000 : 30;
/** Mints per person: as many as the mint limit of a minute allows. */
const EACH = 5;
const RATE = 95;

/** Resident memory of a process, MB. */
function memoryOf(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return Number(kilobytes) / 1024;
}

test(`a mass revocation of ${PEOPLE * EACH} tokens stays under ThoughtSpot's limit at ${RATE}/s, in flat memory`, async () => {
  const { names, users, cluster } = crowd(PEOPLE);
  const broker = await startLocalBroker({
    sweepEveryMs: null,
    policy: demoPolicyWith(HIGHEST_LIMITS),
    users,
    simulator: { cluster },
    variables: { SWEEP_RATE: String(RATE) },
    limits: { reservedConcurrency: 4 },
  });
  try {
    const seen = witness(broker);
    broker.simulator?.set({ rateLimit: false });
    // Round after round: requests of one person at the same time would share one mint.
    const queue = Array.from({ length: EACH }, () => names).flat();
    const worker = async () => {
      for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
        const body = { fresh: true, validitySeconds: 3_600 };
        expect((await seen.ask(name, '/gettoken', { body })).status).toBe(200);
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    expect(broker.simulator?.state().tokens).toHaveLength(PEOPLE * EACH);

    // A busy machine lets calls arrive together that were sent apart, though never more than are under way at once (16):
    // the burst has room for them, and for those that were given up meanwhile.
    broker.simulator?.set({ rateLimit: true, rateLimitBurst: 60 });
    await broker.invoke('operator', operatorEvent('POST', '/leases/revoke', { all: true }));
    const memory: number[] = [];
    const startedAt = Date.now();
    let runs = 0;
    for (let left = 1; left > 0; runs += 1) {
      const swept = broker.sweep();
      const sampling = setInterval(() => {
        for (const pid of broker.functions.get('sweep')?.pids() ?? []) memory.push(memoryOf(pid));
      }, 250);
      expect((await swept).status).toBe('answered');
      clearInterval(sampling);
      left = (await unfinishedRows(broker)).filter(({ state }) => state !== 'orphaned').length;
      expect(runs).toBeLessThan(10);
    }
    const seconds = (Date.now() - startedAt) / 1000;
    const { tokens, refused, revokes } = broker.simulator?.state() ?? { tokens: [], refused: {}, revokes: 0 };
    expect({ tokens, limited: JSON.stringify(refused).includes('"429"'), revokes }).toEqual({
      tokens: [],
      limited: false,
      revokes: PEOPLE * EACH,
    });
    expect(Math.max(...memory)).toBeLessThan(256);
    expect(await seen.unaccounted()).toEqual([]);
    expect(await seen.leaks()).toEqual([]);
    expect(broker.output.text()).not.toMatch(/eyJ[\w-]+\.eyJ/);
    if (NIGHTLY) {
      const curve = memory.filter((_, index) => index % 20 === 0).map((mb) => mb.toFixed(0));
      process.stderr.write(
        `${revokes} revoked in ${seconds.toFixed(1)} s (${(revokes / seconds).toFixed(1)}/s, ${runs} runs); MB: ${curve.join(' ')}\n`,
      );
    }
  } finally {
    await broker.close();
  }
}, 600_000);
