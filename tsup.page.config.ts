import { defineConfig } from 'tsup'

/** The page of the console with its libraries in one file, served to the browser as it is. */
export default defineConfig({
  entry: { page: 'src/console/page/main.tsx' },
  outDir: 'dist/console',
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  tsconfig: 'src/console/page/tsconfig.json',
  noExternal: [/./],
  splitting: false,
  minify: true,
  // What is bundled, for build/cli-licences.ts.
  metafile: true,
  publicDir: 'src/console/page/public',
})
