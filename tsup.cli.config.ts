import { createRequire } from 'node:module'
import { defineConfig } from 'tsup'

const english = createRequire(import.meta.url).resolve('zod/v4/locales/en.js')

/**
 * The command with its libraries, so that who installs the package installs none of them, and so that it is up soon: in few
 * files, of which the server of the console is loaded by nobody else.
 */
export default defineConfig({
  entry: { main: 'src/cli.ts' },
  outDir: 'dist/cli',
  format: 'esm',
  target: 'node20',
  splitting: true,
  // A dependency of the library; of its own it is a hundred files.
  noExternal: ['zod'],
  esbuildPlugins: [
    {
      name: 'zod in one language',
      setup(build) {
        build.onResolve({ filter: /locales\/index\.js$/ }, ({ importer }) =>
          /node_modules\/zod\//.test(importer) ? { path: english, sideEffects: false } : undefined,
        )
      },
    },
  ],
  esbuildOptions(options) {
    // Names stay, so that what is told of a defect can be read.
    options.minifyWhitespace = true
    options.lineLimit = 200
    // Without a hash: a build leaves nothing of the one before.
    options.chunkNames = '[name]'
  },
  // What is bundled, for build/cli-licences.ts.
  metafile: true,
  // Libraries in CommonJS ask for modules of Node so.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'\nconst require = requireOf(import.meta.url)",
  },
})
