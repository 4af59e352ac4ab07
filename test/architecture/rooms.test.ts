/** How large each room may be: a room that outgrows its budget first loses what it does not need (docs/architecture.md). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Lines at most, of TypeScript with comments and blank lines, by folder. */
const BUDGETS: Readonly<Record<string, number>> = {
  'functions/contract': 580,
  'functions/broker': 3_240,
  'functions/policy': 1_050,
  'functions/thoughtspot': 1_600,
  'functions/ledger': 1_415,
  'functions/secrets': 350,
  'functions/identity': 410,
  'functions/http': 930,
  'functions/telemetry': 320,
  'functions/probe': 300,
  'functions/wiring': 310,
  functions: 10_500,
  local: 8_170,
  infra: 9_330,
  client: 1_200,
};
/** Files at most. */
const FILES: Readonly<Record<string, number>> = { functions: 104 };
/** A file in functions/ itself is a Lambda and reads as a recipe. */
const LONGEST_ENTRY = 40;

interface Size {
  readonly room: string;
  readonly lines: number;
  readonly files: number;
}

function linesOf(file: string): number {
  return readFileSync(file, 'utf8').split('\n').length - 1;
}

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !/node_modules|\/dist/.test(entry.parentPath))
    .map((entry) => join(entry.parentPath, entry.name));
}

function sizeOf(room: string): Size {
  const files = sourcesIn(room);
  return { room, files: files.length, lines: files.reduce((sum, file) => sum + linesOf(file), 0) };
}

function row({ room, lines, files }: Size): string {
  const [mostLines, mostFiles] = [BUDGETS[room], FILES[room]];
  const columns = [room.padEnd(24), `${lines}`.padStart(6), `of ${mostLines}`.padEnd(8), `${files}`.padStart(5)];
  return [...columns, mostFiles === undefined ? '' : `of ${mostFiles}`].join(' ').trimEnd();
}

const sizes = Object.keys(BUDGETS).map(sizeOf);

test('every room keeps to its budget of lines, and functions/ to its budget of files', () => {
  process.stdout.write(`\nroom                      lines            files\n${sizes.map(row).join('\n')}\n\n`);
  const over = sizes.filter(
    ({ room, lines, files }) => lines > (BUDGETS[room] ?? 0) || files > (FILES[room] ?? Infinity),
  );
  expect(over).toEqual([]);
});

test('every folder of functions/ is a room with a budget', () => {
  const folders = readdirSync(join(root, 'functions'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const rooms = Object.keys(BUDGETS).flatMap((room) => /^functions\/(.+)$/.exec(room)?.[1] ?? []);
  expect(folders.map(({ name }) => name).sort()).toEqual(rooms.sort());
});

test('an entry reads as a recipe: at most 40 lines', () => {
  const entries = readdirSync(join(root, 'functions')).filter((name) => name.endsWith('.ts'));
  expect(entries.filter((name) => linesOf(join(root, 'functions', name)) > LONGEST_ENTRY)).toEqual([]);
});

test('no file is a drawer: utils, helpers, common, misc, types or index', () => {
  const all = ['functions', 'infra', 'local', 'client', 'test', 'bench'].flatMap(sourcesIn);
  expect(all.filter((path) => /\/(utils?|helpers?|common|misc|types|index)\.ts$/.test(path))).toEqual([]);
});

test('docs/architecture.md walks from a request to a token in at most ten files, each there and named once', () => {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const walk = /## From a request to a token\n([^]*?)\n## /.exec(text)?.[1] ?? '';
  const files = [...walk.matchAll(/^\d+\. `(functions\/[^`]+)`/gm)].map(([, file = '']) => file);
  expect(files[0]).toBe('functions/gettoken.ts');
  expect(files.length).toBeGreaterThan(5);
  expect(files.length).toBeLessThanOrEqual(10);
  expect(new Set(files).size).toBe(files.length);
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});
