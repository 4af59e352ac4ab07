// jest runs tests as CommonJS. esbuild transforms TypeScript and ESM-only packages into it.
const { transformSync, version } = require('esbuild');
const { createHash } = require('node:crypto');

const options = {
  format: 'cjs',
  target: 'node24',
  sourcemap: 'inline',
  define: {
    'import.meta.dirname': '__dirname',
    'import.meta.filename': '__filename',
    'import.meta.url': '__moduleUrl',
  },
  banner: "const __moduleUrl = require('node:url').pathToFileURL(__filename).href;",
};

module.exports = {
  process(source, file) {
    const loader = /\.[cm]?ts$/.test(file) ? 'ts' : 'js';
    const usesUrl = source.includes('import.meta.url');
    const { code } = transformSync(source, {
      ...options,
      banner: usesUrl ? options.banner : '',
      loader,
      // With the ending .mjs, esbuild would treat the default export of an ESM-only package like that of a CommonJS one.
      sourcefile: file.replace(/\.mjs$/, '.js'),
    });
    return { code };
  },
  getCacheKey(source, file) {
    return createHash('sha256')
      .update(`${version}\0${file}\0${JSON.stringify(options)}\0${source}`)
      .digest('hex');
  },
};
