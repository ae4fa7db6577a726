import { defineConfig } from 'tsup'

/** The command with its libraries in one file, so that who installs the package installs none of them. */
export default defineConfig({
  entry: { main: 'src/cli.ts' },
  outDir: 'dist/cli',
  format: 'esm',
  target: 'node20',
  splitting: false,
  // What is bundled, for build/cli-licences.ts.
  metafile: true,
  // Libraries in CommonJS ask for modules of Node so.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'\nconst require = requireOf(import.meta.url)",
  },
})
