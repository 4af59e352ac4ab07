// Says on which Node scripts run: that of the platform's package, or the host's where there is none (docs/adr/0001).
const { execSync } = require('node:child_process');
const { existsSync, rmSync, symlinkSync } = require('node:fs');
const { join } = require('node:path');

const { arch, platform } = process;
const name = `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
const modules = join(__dirname, 'node_modules');
const packaged = existsSync(join(modules, name));

// npm 10 drops the packages of other platforms last, and with them this link, which bears the same name in each.
if (packaged && platform !== 'win32' && !existsSync(join(modules, '.bin/node'))) {
  symlinkSync(`../${name}/bin/node`, join(modules, '.bin/node'));
}
// C headers, 67 MB: they serve to build native addons, and nothing here is built.
rmSync(join(modules, name, 'include'), { recursive: true, force: true });

const version = execSync('node --version', { encoding: 'utf8' }).trim();
if (Number(/^v(\d+)/.exec(version)[1]) < 24) {
  console.error(
    `Scripts need Node 24, and here (${platform}-${arch}) they would run on ${version}.\n` +
      'Install Node 24 from https://nodejs.org or with `nvm install` (it reads .nvmrc), then run `npm ci` again.',
  );
  process.exit(1);
}
console.log(
  `Scripts run on Node ${version}${packaged ? ', which was installed with the packages' : ", the host's own"}.`,
);
