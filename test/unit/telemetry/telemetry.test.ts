import { METRIC_NAMESPACE, SIGNALS } from '../../../functions/contract/signals.ts';
import { leaksIn } from '../../support/canaries.ts';
import { makeTelemetry, type TelemetryOptions } from '../../../functions/telemetry/telemetry.ts';

/** Runs `say` and returns all lines that reached the process's output, parsed. */
function linesOf(say: (telemetry: ReturnType<typeof makeTelemetry>) => void, options: Partial<TelemetryOptions> = {}) {
  const raw: string[] = [];
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      raw.push(String(text));
      return true;
    }),
  );
  try {
    const write = (line: string) => void raw.push(line);
    say(makeTelemetry({ level: 'INFO', environment: 'test', function: 'gettoken', now: () => 0, write, ...options }));
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  const text = raw.join('');
  const lines = text.split('\n').filter((line) => line !== '');
  return { text, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('telemetry', () => {
  test('logs one JSON line with its correlation id', () => {
    const { lines } = linesOf((telemetry) => {
      telemetry.begin('request-1');
      telemetry.log.warn('it rains', { degrees: 3 });
      telemetry.end();
      telemetry.log.info('later');
    });
    expect(lines).toMatchObject([
      {
        level: 'WARN',
        message: 'it rains',
        service: 'gettoken',
        environment: 'test',
        correlationId: 'request-1',
        fields: { degrees: 3 },
      },
      { level: 'INFO', message: 'later' },
    ]);
    expect(lines[1]).not.toHaveProperty('correlationId');
  });

  test('takes fields with names that the logger reserves', () => {
    const { lines } = linesOf(({ log }) => log.info('x', { level: 'full', message: 'm', timestamp: 1 }));
    expect(lines).toMatchObject([
      { level: 'INFO', message: 'x', fields: { level: 'full', message: 'm', timestamp: 1 } },
    ]);
  });

  test('keeps below its level', () => {
    const { lines } = linesOf(({ log }) => (log.info('a'), log.warn('b'), log.error('c')), { level: 'ERROR' });
    expect(lines.map(({ message }) => message)).toEqual(['c']);
  });

  test('audits at every level, one line per decision, at once', () => {
    const { lines } = linesOf(
      (telemetry) => {
        telemetry.begin('request-1');
        telemetry.audit.record({ action: 'mint', user: 'alice', lease: { leaseId: 'l', tokenDigest: 'd' } });
      },
      { level: 'ERROR' },
    );
    expect(lines).toEqual([
      {
        audit: true,
        timestamp: '1970-01-01T00:00:00.000Z',
        environment: 'test',
        function: 'gettoken',
        correlationId: 'request-1',
        action: 'mint',
        user: 'alice',
        lease: { leaseId: 'l', tokenDigest: 'd' },
      },
    ]);
  });

  test('sends signals as EMF at the end of the invocation, under exactly the dimensions of the alarms', () => {
    const { lines } = linesOf((telemetry) => {
      telemetry.signals.emit('minted');
      telemetry.signals.emit('minted');
      telemetry.signals.emit('mint-latency', 120);
      telemetry.signals.emit('mint-latency', 80);
      telemetry.end();
      telemetry.end();
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      environment: 'test',
      function: 'gettoken',
      minted: 2,
      'mint-latency': [120, 80],
    });
    expect(lines[0]).not.toHaveProperty('service');
    expect(lines[0]?.['_aws']).toMatchObject({
      CloudWatchMetrics: [
        {
          Namespace: METRIC_NAMESPACE,
          Dimensions: [['environment', 'function']],
          Metrics: [
            { Name: 'minted', Unit: 'Count' },
            { Name: 'mint-latency', Unit: 'Milliseconds' },
          ],
        },
      ],
    });
  });

  test('says in one line what there is to say of an invocation, and its metrics', () => {
    const { lines } = linesOf((telemetry) => {
      telemetry.begin('request-1');
      telemetry.signals.emit('minted');
      telemetry.end('request', { status: 200, token: 'anything' });
      telemetry.begin('request-2');
      telemetry.end('request', { status: 404 });
    });
    const common = { environment: 'test', function: 'gettoken', level: 'INFO', message: 'request' };
    expect(lines).toEqual([
      {
        ...{ ...common, correlationId: 'request-1', fields: { status: 200, token: '[redacted]' } },
        ...{ minted: 1, _aws: expect.objectContaining({ CloudWatchMetrics: expect.any(Array) as object }) as object },
      },
      { ...common, correlationId: 'request-2', fields: { status: 404 } },
    ]);
  });

  test('sends the metrics, and nothing more, where the level lets only warnings be said', () => {
    const say = (telemetry: ReturnType<typeof makeTelemetry>) => {
      telemetry.signals.emit('minted');
      telemetry.end('request', { status: 200 });
      telemetry.end('request', { status: 404 });
    };
    const { lines } = linesOf(say, { level: 'WARN' });
    expect(lines).toMatchObject([{ function: 'gettoken', minted: 1 }]);
    expect(lines[0]).not.toHaveProperty('message');
  });

  test('can send every signal of the contract, in later invocations too', () => {
    const names = Object.keys(SIGNALS) as (keyof typeof SIGNALS)[];
    const { lines } = linesOf((telemetry) => {
      for (const name of names) {
        telemetry.signals.emit(name);
        telemetry.end();
      }
    });
    expect(lines.map((line) => line['function'])).toEqual(names.map(() => 'gettoken'));
  });

  test('no canary gets out by any way, in any form', () => {
    const secret = 'canary/5d3f+0c2a?=ü';
    const { text } = linesOf((telemetry) => {
      telemetry.conceal(secret);
      const error = new Error(`no ${secret}`, { cause: { body: Buffer.from(`x:${secret}`).toString('base64') } });
      telemetry.begin('id');
      telemetry.log.error(`message ${secret}`, { error, [secret]: encodeURIComponent(secret) });
      telemetry.audit.record({ action: 'deny', reasons: [`claim ${secret}`], token: 'anything' });
      telemetry.end();
    });
    expect(leaksIn(text, { secret, token: 'anything' })).toEqual([]);
    expect(text).toContain('[redacted]');
  });
});
