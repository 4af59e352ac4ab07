import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import {
  FINISHED,
  isUnfinished,
  type LeaseState,
  MAY_ENTER_FROM,
  mayEnter,
  UNFINISHED,
} from '../../../functions/broker/lease.ts';
import { leaseDiagram } from '../../support/lease-diagram.ts';

const STATES = Object.keys(MAY_ENTER_FROM) as LeaseState[];

test('every state is either finished or not', () => {
  expect([...UNFINISHED, ...FINISHED].sort()).toEqual([...STATES].sort());
});

test('states go forward only: a finished lease stays as it is, and none comes back to where it was', () => {
  const reach = (from: LeaseState): Set<LeaseState> => {
    const seen = new Set<LeaseState>();
    const walk = (at: LeaseState) => {
      for (const next of STATES) {
        if (next === at || !mayEnter(at, next) || seen.has(next)) continue;
        seen.add(next);
        walk(next);
      }
    };
    walk(from);
    return seen;
  };
  for (const finished of FINISHED) expect(STATES.filter((next) => mayEnter(finished, next))).toEqual([]);
  // A token in hand may be put into a row that the sweep took for an orphan: the one step that looks back.
  for (const from of STATES) {
    if (from !== 'revoking' && from !== 'orphaned') expect(reach(from)).not.toContain(from);
  }
  for (const from of UNFINISHED) expect([...reach(from)].some((end) => !isUnfinished(end))).toBe(true);
  expect(reach('revoking')).not.toContain('live');
  expect(reach('orphaned')).not.toContain('live');
});

test('only a lease that is live can have been served, and only a reserved one can become it', () => {
  expect(MAY_ENTER_FROM.live).toEqual(['reserved']);
  expect(MAY_ENTER_FROM.failed).toEqual(['reserved']);
});

test('the diagram in docs/architecture.md is the one that the table gives', () => {
  const document = readFileSync(path.join(import.meta.dirname, '../../../docs/architecture.md'), 'utf8');
  const between = /<!-- lease machine: begin -->\n(.*?)<!-- lease machine: end -->/s.exec(document)?.[1];
  expect(between).toBe(`\n${leaseDiagram()}\n\n`);
});
